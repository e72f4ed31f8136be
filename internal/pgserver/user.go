package pgserver

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the operating system user that PostgreSQL runs as.
type account struct {
	uid, gid uint32
	name     string
	other    bool // not the user that Strait runs as
}

// chooseAccount is our own user; for root, which PostgreSQL refuses, the user
// postgres, else nobody.
func chooseAccount() (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{uid: uint32(uid), gid: uint32(os.Getegid()), name: "uid " + strconv.Itoa(uid)}, nil //nolint:gosec // G115: ids fit
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return account{uid: uint32(uid), gid: uint32(gid), name: name, other: true}, nil
		}
	}
	return account{}, fmt.Errorf("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: run strait as an ordinary user, or make one with: useradd --system postgres")
}

// attributes are those of a child: its user, and a process group of its own,
// so that Ctrl-C reaches Strait alone, which then stops PostgreSQL in order.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}

// makeFolder makes dir for the account alone.
func (a account) makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if !a.other {
		return nil
	}
	if err := os.Chown(dir, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to %s: %w", dir, a.name, err)
	}
	return nil
}

// mayEnter checks that the account can reach dir: each folder on the way lets
// it in. The error is the mending command.
func (a account) mayEnter(dir string) error {
	if !a.other {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("look at %s: %w", at, err)
		}
		if !a.enters(info) {
			return fmt.Errorf("PostgreSQL runs as %s, which cannot enter %s: run chmod o+x %s, or name another folder in STRAIT_DATA_DIR", a.name, at, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// enters judges the execute bit that counts for the account.
func (a account) enters(info os.FileInfo) bool {
	owner, known := info.Sys().(*syscall.Stat_t)
	bit := os.FileMode(0o001)
	switch {
	case known && owner.Uid == a.uid:
		bit = 0o100
	case known && owner.Gid == a.gid:
		bit = 0o010
	}
	return info.Mode()&bit != 0
}
