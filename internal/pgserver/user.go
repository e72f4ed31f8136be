//go:build linux || darwin

package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
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

// makeFolder makes dir for the account alone. What stands there already is
// used only if it is that: a link that a stranger planted must not lead root to
// give its target away.
func (a account) makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil && a.other {
		err = os.Lchown(dir, int(a.uid), int(a.gid))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s for %s: %w", dir, a.name, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if uid, known := ownerOf(info); !info.IsDir() || info.Mode().Perm()&0o077 != 0 || known && uid != a.uid {
		return fmt.Errorf("%s is not a folder that %s alone can enter: remove it and start again", dir, a.name)
	}
	return nil
}

// makeRoot makes the data folder, refuses one that others could put files
// into, and lets the account pass through it.
func (a account) makeRoot(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil { //nolint:gosec // G301: PostgreSQL's user passes through
		return fmt.Errorf("make the data folder: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the data folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to the data folder: run chmod go-w %s", dir)
	}
	uid, _ := ownerOf(info)
	if a.other && int(uid) == os.Geteuid() && info.Mode().Perm() == 0o700 {
		err = errors.Join(os.Chown(dir, -1, int(a.gid)), os.Chmod(dir, 0o710)) //nolint:gosec // G302: its group is PostgreSQL's, which passes through and sees nothing
		if err != nil {
			return fmt.Errorf("let %s into the data folder: %w", a.name, err)
		}
	}
	return a.mayEnter(dir)
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
	stat, known := info.Sys().(*syscall.Stat_t)
	bit := os.FileMode(0o001)
	switch {
	case known && stat.Uid == a.uid:
		bit = 0o100
	case known && stat.Gid == a.gid:
		bit = 0o010
	}
	return info.Mode()&bit != 0
}

func ownerOf(info os.FileInfo) (uid uint32, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return stat.Uid, true
}
