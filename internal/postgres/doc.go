// Package postgres answers: where is it kept? It is the only user of pgx, and
// holds every SQL statement of the program but the migrations.
//
// Two roles meet the database. The owner's role runs [Migrate] and nothing
// else. The application's role is what [Open] connects with: it may insert and
// read records and changes, never update or delete them, and it has no DDL;
// [DB.CheckPrivileges] refuses to serve with a role that may do more.
//
// [DB] satisfies the stores of the packages that keep something: catalog,
// keyring and audit declare them, in their own words. [DB.Watch] tells a
// replica that something changed. An error that says the database cannot be
// used now, as opposed to a mistake in a statement, is [ErrUnavailable].
//
// The statements are written by hand; docs/adr/0001-hand-written-sql.md says
// why. They are what PostgreSQL 15 has, and always use the extended protocol.
//
// The package must not decide anything: no clock, no policy, no retries beyond
// the connection's own.
package postgres
