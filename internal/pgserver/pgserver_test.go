//go:build linux || darwin

package pgserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/pgserver"
)

// TestMain lets the test binary play the Strait that is killed: with a data
// folder in the environment it starts the server, says so, and hangs.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PGSERVER_TEST_HOLD"); dir != "" {
		server, err := pgserver.Start(context.Background(), pgserver.Config{DataDir: dir})
		if err != nil {
			fmt.Fprintln(os.Stdout, "failed:", err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, "ready", server.AppURL())
		time.Sleep(time.Minute)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// folder is a data folder that PostgreSQL's user can reach: t.TempDir's
// parents shut it out.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgserver-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func start(t *testing.T, dir string) *pgserver.Server {
	t.Helper()
	server, err := pgserver.Start(t.Context(), pgserver.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	return server
}

func stop(t *testing.T, server *pgserver.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.Stop(ctx); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func query(t *testing.T, url, sql string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// keep writes a table of one row.
func keep(t *testing.T, server *pgserver.Server) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.OwnerURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 1 AS n"); err != nil {
		t.Fatal(err)
	}
}

// postmaster is the pid in the cluster's postmaster.pid.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestKeepsItsDataBetweenRuns(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := start(t, dir)
	keep(t, server)
	stop(t, server)
	if _, err := pgx.Connect(t.Context(), server.OwnerURL()); err == nil {
		t.Fatal("a stopped server answers")
	}
	began := time.Now()
	server = start(t, dir)
	t.Logf("warm start: %v", time.Since(began))
	if n := query(t, server.OwnerURL(), "SELECT count(*)::text FROM kept"); n != "1" {
		t.Errorf("%s rows after a restart", n)
	}
}

func TestListensOnItsSocketAlone(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := start(t, dir)
	for setting, want := range map[string]string{"listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "data_checksums": "on"} {
		if got := query(t, server.AppURL(), "SHOW "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "run"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder has mode %v, %v", info.Mode(), err)
	}
}

func TestRolesAreNoSuperusers(t *testing.T) {
	t.Parallel()
	server := start(t, folder(t))
	if n := query(t, server.AppURL(), "SELECT count(*)::text FROM pg_roles WHERE rolname IN ('strait', 'strait_owner') AND NOT rolsuper AND NOT rolcreaterole AND NOT rolcreatedb"); n != "2" {
		t.Errorf("%s of the 2 roles are ordinary", n)
	}
	conn, err := pgx.Connect(t.Context(), server.AppURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "CREATE TABLE mine (n int)"); err == nil {
		t.Error("the application's role made a table")
	}
}

func TestSecondStraitIsRefused(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := start(t, dir)
	_, err := pgserver.Start(t.Context(), pgserver.Config{DataDir: dir})
	if !errors.Is(err, pgserver.ErrHeld) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("error = %v, want one that names process %d", err, os.Getpid())
	}
	if query(t, server.AppURL(), "SELECT 'alive'") != "alive" {
		t.Error("the first server was hurt")
	}
}

// killedStrait starts a Strait on the folder, kills it, and returns the pid of
// the PostgreSQL that it leaves running.
func killedStrait(t *testing.T, dir string) int {
	t.Helper()
	strait := exec.Command(os.Args[0])
	strait.Env = append(os.Environ(), "PGSERVER_TEST_HOLD="+dir)
	out, err := strait.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := strait.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if !strings.HasPrefix(line, "ready ") {
		t.Fatalf("the first strait said %q", line)
	}
	pid := postmaster(t, dir)
	_ = strait.Process.Kill()
	_ = strait.Wait()
	return pid
}

// TestAdoptsAfterKill9OfStrait: PostgreSQL lives on when Strait is killed, and
// the next Strait takes the same server over.
func TestAdoptsAfterKill9OfStrait(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	before := killedStrait(t, dir)
	server := start(t, dir)
	if after := postmaster(t, dir); after != before {
		t.Errorf("postmaster %d was not adopted: now %d", before, after)
	}
	if query(t, server.AppURL(), "SELECT 'alive'") != "alive" {
		t.Error("the adopted server does not answer")
	}
	stop(t, server)
	if _, err := os.Stat(filepath.Join(dir, "postgres", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the adopted server was not stopped in order: %v", err)
	}
	if _, err := pgx.Connect(t.Context(), server.AppURL()); err == nil {
		t.Error("the adopted server answers after Stop")
	}
}

func TestRecoversAfterKill9OfPostgreSQL(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := start(t, dir)
	keep(t, server)
	if err := syscall.Kill(-postmaster(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.Exited():
	case <-time.After(10 * time.Second):
		t.Fatal("the end of the server went unnoticed")
	}
	stop(t, server)
	server = start(t, dir)
	if n := query(t, server.OwnerURL(), "SELECT count(*)::text FROM kept"); n != "1" {
		t.Errorf("%s rows after recovery", n)
	}
}

// TestIgnoresTheFileOfADeadServer: the pid in a stale postmaster.pid may be
// somebody else's by now.
func TestIgnoresTheFileOfADeadServer(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := start(t, dir)
	path := filepath.Join(dir, "postgres", "postmaster.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, server)
	lines := strings.Split(string(text), "\n")
	lines[0] = strconv.Itoa(1 << 22) // beyond the highest pid
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	server = start(t, dir)
	if query(t, server.AppURL(), "SELECT 'alive'") != "alive" {
		t.Error("no answer")
	}
}

func TestLongDataFolderGetsAShortSocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	server := start(t, dir)
	if query(t, server.AppURL(), "SELECT 'alive'") != "alive" {
		t.Error("no answer")
	}
	u := server.AppURL()
	if strings.Contains(u, "longlong") {
		t.Errorf("the socket is in the long folder: %s", u)
	}
	sockets, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, server)
	if _, err := os.Stat(sockets.Query().Get("host")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder stays after Stop: %v", err)
	}
}

func TestUnreachableFolderSaysTheMend(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: PostgreSQL runs as ourselves and reaches what we reach")
		return
	}
	shut := folder(t)
	if err := os.Chmod(shut, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := pgserver.Start(t.Context(), pgserver.Config{DataDir: filepath.Join(shut, "data")})
	if err == nil || !strings.Contains(err.Error(), "chmod o+x "+shut) {
		t.Errorf("error = %v, want the mending command", err)
	}
}

func TestClusterOfAnotherVersionIsNamed(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	stop(t, start(t, dir))
	if err := os.WriteFile(filepath.Join(dir, "postgres", "PG_VERSION"), []byte("14\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pgserver.Start(t.Context(), pgserver.Config{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 14") || !strings.Contains(err.Error(), "pg_upgrade") {
		t.Errorf("error = %v", err)
	}
}

func TestHalfMadeClusterIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.MkdirAll(filepath.Join(dir, "postgres.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if query(t, start(t, dir).AppURL(), "SELECT 'alive'") != "alive" {
		t.Error("no answer")
	}
}

// TestForgetsAServerWhosePidIsAStrangers: in a container the pid of the server
// that was killed is soon that of another process, even one of the same user.
func TestForgetsAServerWhosePidIsAStrangers(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := start(t, dir)
	keep(t, server)
	path := filepath.Join(dir, "postgres", "postmaster.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(postmaster(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-server.Exited()
	stop(t, server)
	stranger := exec.Command("sleep", "60")
	if os.Geteuid() == 0 { // PostgreSQL's own user, or it would not count
		uid := owner(t, filepath.Join(dir, "postgres"))
		stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		stranger.Dir = "/"
	}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	lines := strings.Split(string(text), "\n")
	lines[0] = strconv.Itoa(stranger.Process.Pid)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	server = start(t, dir)
	if n := query(t, server.OwnerURL(), "SELECT count(*)::text FROM kept"); n != "1" {
		t.Errorf("%s rows after recovery", n)
	}
	if err := syscall.Kill(stranger.Process.Pid, 0); err != nil {
		t.Errorf("the stranger was hurt: %v", err)
	}
}

// TestNeverTwoServersOnOneCluster: where the living server's socket was
// removed, it cannot be adopted, and must not get a rival.
func TestNeverTwoServersOnOneCluster(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	pid := killedStrait(t, dir)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGQUIT) })
	if err := os.Remove(filepath.Join(dir, "run", ".s.PGSQL.5432")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := pgserver.Start(ctx, pgserver.Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "shared memory") {
		t.Errorf("error = %v, want PostgreSQL's refusal", err)
	}
	if postmaster(t, dir) != pid || syscall.Kill(pid, 0) != nil {
		t.Error("the living server was hurt")
	}
}

func TestPrivateFolderLetsPostgreSQLPass(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if query(t, start(t, dir).AppURL(), "SELECT 'alive'") != "alive" {
		t.Error("no answer")
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o067 != 0 {
		t.Errorf("the data folder has mode %v, %v: others got more than the way through", info.Mode(), err)
	}
}

func TestFolderThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := pgserver.Start(t.Context(), pgserver.Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "chmod go-w "+dir) {
		t.Errorf("error = %v, want the mending command", err)
	}
}

func TestFailedStartQuotesTheLog(t *testing.T) {
	t.Parallel()
	_, err := pgserver.Start(t.Context(), pgserver.Config{DataDir: folder(t), Settings: map[string]string{"shared_buffers": "no size"}})
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("error = %v, want PostgreSQL's own words", err)
	}
}

// TestStrangersSocketFolderIsRefused: a planted link must neither be used nor
// lead root to give its target away.
func TestStrangersSocketFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir, victim := folder(t), folder(t)
	before := owner(t, victim)
	if err := os.Symlink(victim, filepath.Join(dir, "run")); err != nil {
		t.Fatal(err)
	}
	if _, err := pgserver.Start(t.Context(), pgserver.Config{DataDir: dir}); err == nil {
		t.Error("a socket folder that is a link was accepted")
	}
	if after := owner(t, victim); after != before {
		t.Errorf("the link's target went from uid %d to %d", before, after)
	}
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}
