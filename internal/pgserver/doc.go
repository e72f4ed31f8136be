// Package pgserver runs the private PostgreSQL of the embedded default: it
// finds the programs, makes the cluster once, starts the server or adopts the
// one that a killed Strait left running, and stops it.
//
// The server listens on a unix socket in a folder that only its own operating
// system user (and root) can enter, and on no TCP port; that folder is its
// access control, so connections need no password. It keeps fsync on.
//
// PostgreSQL refuses to run as root. Started by root, the programs run as the
// user postgres, else nobody.
//
// Whoever else may write to the data folder could plant what root would then
// give away, so such a folder is refused, and so is a socket folder that is a
// link or a stranger's. The children get an environment of their own: none of
// Strait's secrets.
//
// In the data folder: postgres/ (the cluster), run/ (the socket), postgres.log
// and lock, which holds off a second Strait. The package knows no SQL beyond
// the two roles and the database that a new cluster gets.
package pgserver
