package postgres

// revocationLock orders revocations and records. Who revokes holds it alone
// while the revision of revocations moves; who keeps an issued record holds it
// shared until its transaction ends. So a record is either seen by the
// revocation, or compared with the revision that came of it. It is a lock of
// one bigint; those of lockClass, of two integers, are others, and so are the
// 32 bits of a hashtext.
const revocationLock int64 = 0x57a17_0000_0001

const (
	// lockRevocations must be a statement of its own: one that takes a lock has
	// its snapshot already.
	lockRevocations    = `SELECT pg_advisory_xact_lock_shared($1)`
	revocationRevision = `SELECT revision FROM revisions WHERE topic = 'revocations'`
)
