// Package records is the commands on what happened, and what is to hold no longer:
// list, show, export, prove and prune the audit log, the lineage of an exchange,
// revoke. Export from a database, prune and proofs over one speak to PostgreSQL
// themselves, since they are of use when no server runs.
package records
