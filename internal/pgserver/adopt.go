//go:build linux || darwin

package pgserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// adopt takes over the server that postmaster.pid names, if it listens on our
// socket: nobody else can, in that folder. It waits for one that recovers.
func (s *Server) adopt(ctx context.Context) (bool, error) {
	for {
		pid, status := s.postmaster()
		if pid == 0 || syscall.Kill(pid, 0) != nil || !s.answers() {
			return false, nil
		}
		if status == "ready" {
			s.pid, s.child = pid, nil
			s.log.Info("adopted a running PostgreSQL", "pid", pid, "data", s.at.root)
			return true, nil
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return false, fmt.Errorf("the running PostgreSQL, process %d, is %s: %w", pid, status, err)
		}
	}
}

// postmaster reads the cluster's postmaster.pid: line 1 is the pid, line 2 the
// data folder, line 8 the status.
func (s *Server) postmaster() (pid int, status string) {
	lines := s.pidFile()
	if len(lines) < 8 || lines[1] != s.at.cluster {
		return 0, ""
	}
	return s.named(), strings.TrimSpace(lines[7])
}

// named is the pid in postmaster.pid, whatever else the file says; 0 if none.
func (s *Server) named() int {
	pid, err := strconv.Atoi(strings.TrimSpace(s.pidFile()[0]))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

func (s *Server) pidFile() []string {
	text, _ := os.ReadFile(filepath.Join(s.at.cluster, "postmaster.pid")) // none: no lines
	return strings.Split(string(text), "\n")
}

func (s *Server) answers() bool {
	conn, err := net.DialTimeout("unix", s.at.socket(), time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
