// Package console is what the commands of strait have in common: how does one
// speak to the process that it runs in? Its environment and streams, its exit
// codes, how values are printed, the client of the admin API that its settings
// lead to.
//
// What is printed may hold what strangers sent, and is shown rather than obeyed:
// no control character reaches a terminal. Secrets come from files and from the
// environment, never from flags.
//
// The package knows no command and must not import one.
package console
