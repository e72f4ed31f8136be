package postgres

// revocationLock orders revocations and records. Who revokes holds it alone
// while the revision of revocations moves; who keeps an issued record holds it
// shared until its transaction ends. So a record is either seen by the
// revocation, or compared with the revision that came of it. It is a lock of
// one bigint; those of lockClass, of two integers, are others, and so are the
// 32 bits of a hashtext.
const revocationLock int64 = 0x57a17_0000_0001
