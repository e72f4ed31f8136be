package postgres

// RevocationLock is the lock of who revokes.
const RevocationLock = revocationLock
