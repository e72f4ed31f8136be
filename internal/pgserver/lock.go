//go:build linux || darwin

package pgserver

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// hold takes the lock file for as long as this process lives, however it ends.
func hold(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // G304: in the data folder
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path) //nolint:gosec // G304: as above
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w %s: process %s; stop it, or name another STRAIT_DATA_DIR", ErrHeld, path, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := file.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(file, "%d\n", os.Getpid()) // for the message above alone
	}
	return file, nil
}
