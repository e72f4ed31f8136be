// Package objects is the commands on what the server keeps: how does an
// administrator write it? apply and diff, get and delete, the list of keys. All
// are callers of the admin API. A dry run is told in the words of package judge.
package objects
