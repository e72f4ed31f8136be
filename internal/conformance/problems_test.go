package conformance_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// problemRows are RFC 9457, and what RFC 9110 asks of such answers.
var problemRows = []row{
	{"PD-01", "3", "MUST", "`application/problem+json` for every 4xx", everyProblem(func(t *testing.T, a *answer) {
		if a.header.Get("Content-Type") != "application/problem+json" || a.body == nil {
			t.Errorf("%s: %s", a.header.Get("Content-Type"), a.raw)
		}
	}), "", false},
	{"PD-02", "3.1.1", "MUST", "`type` is a URI of the documented list", everyProblem(func(t *testing.T, a *answer) {
		if !strings.Contains(pageOf(t, "errors.md"), fmt.Sprintf("| %s | %d | %s |", a.text("type"), a.status, a.text("title"))) {
			t.Errorf("type %q", a.text("type"))
		}
	}), "", false},
	{"PD-03", "3.1.2", "MUST", "`status` is the HTTP status", everyProblem(func(t *testing.T, a *answer) {
		if whole(t, a.body["status"]) != int64(a.status) {
			t.Errorf("status %v in a %d", a.body["status"], a.status)
		}
	}), "", false},
	{"PD-04", "3.1.3", "SHOULD NOT", "`title` does not change from one occurrence to another", oneTitle, "", false},
	{"PD-05", "3.1.4", "prose", "`detail` is about this occurrence, and no stack", everyProblem(func(t *testing.T, a *answer) {
		if a.text("detail") == "" || strings.Contains(a.raw, "goroutine") || strings.Contains(a.raw, ".go:") {
			t.Errorf("%s", a.raw)
		}
	}), "", false},
	{"PD-06", "3.1.5", "prose", "`instance` leads to the log by the request id", func(t *testing.T, w *world) {
		if a := w.manage(t, http.MethodGet, "/nothing", nil, "X-Request-Id", "pd-06"); a.text("instance") != "urn:strait:request:pd-06" {
			t.Errorf("instance %q", a.text("instance"))
		}
	}, "", false},
	{"PD-07", "3.2", "SHOULD", "extensions have proper names: `errors`, with JSON pointers", func(t *testing.T, w *world) {
		a := w.tryApply(t, target("pd-07", "https://pd-07.example.com", list(), members{"unheard": 1})).mustBeInvalid("unknown_field")
		if !strings.Contains(a.raw, `"pointer":"/objects/0/spec/unheard"`) {
			t.Errorf("%s", a.raw)
		}
		for name := range a.body {
			if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{2,}$`).MatchString(name) {
				t.Errorf("member %q", name)
			}
		}
	}, "", false},
	{"PD-08", "4.2.1", "SHOULD", "`about:blank` has the phrase of its status for a title: no problem of ours is so unspecific", everyProblem(func(t *testing.T, a *answer) {
		if a.text("type") == "about:blank" || a.text("type") == "" {
			t.Errorf("%s", a.raw)
		}
	}), "", false},
	{"PD-09", "5", "prose", "nothing of the inside is told", everyProblem(func(t *testing.T, a *answer) {
		if told := regexp.MustCompile(`(?i)\b(select|insert|sqlstate|pgx|postgres|panic|internal/)\b`).FindString(a.raw); told != "" {
			t.Errorf("%q in %s", told, a.raw)
		}
	}), "", false},
	{"PD-10", "RFC 9110 §15.5", "MUST", "405 has `Allow`, 401 `WWW-Authenticate`; `If-Match` gives 412, its absence 428", fittingHeaders, "", false},
	{"PD-11", "RFC 6749 §5.2", "ours", "the OAuth endpoints keep their own form of errors", func(t *testing.T, w *world) {
		a := w.send(t, drop("subject_token")).mustRefuse(400, "invalid_request", "malformed_request")
		if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || a.body["type"] != nil || a.body["title"] != nil {
			t.Errorf("%s %s", a.header.Get("Content-Type"), a.raw)
		}
	}, "", false},
}

// problems is one answer of the admin API for each way of being refused.
func problems(t *testing.T, w *world) map[int]*answer {
	t.Helper()
	const path = "/targets/orders"
	good := w.manage(t, http.MethodGet, path, nil)
	if good.status != http.StatusOK || good.header.Get("ETag") == "" {
		t.Fatalf("the positive half: %d %s", good.status, good.raw)
	}
	all := map[int]*answer{
		400: w.manage(t, http.MethodPost, "/apply", "{"),
		401: w.request(t, http.MethodGet, w.admin+"/admin/v1/whoami", http.Header{"Authorization": {"Bearer wrong"}}, nil),
		404: w.manage(t, http.MethodGet, "/targets/nobody", nil),
		405: w.manage(t, http.MethodDelete, "/apply", nil),
		412: w.manage(t, http.MethodDelete, path, nil, "If-Match", `"stale"`),
		413: w.manage(t, http.MethodPost, "/apply", `{"objects":["`+strings.Repeat("a", 2<<20)+`"]}`),
		415: w.manage(t, http.MethodPost, "/apply", "{}", "Content-Type", "text/plain"),
		422: w.manage(t, http.MethodPost, "/apply", map[string]any{"objects": []object{{"kind": "Target", "metadata": members{"name": "x"}, "spec": members{}}}}),
		428: w.manage(t, http.MethodDelete, path, nil),
	}
	for status, a := range all {
		if a.status != status {
			t.Errorf("%d %s, want %d", a.status, a.raw, status)
		}
	}
	return all
}

func everyProblem(holds func(*testing.T, *answer)) check {
	return func(t *testing.T, w *world) {
		for _, a := range problems(t, w) {
			holds(t, a)
		}
	}
}

func oneTitle(t *testing.T, w *world) {
	first, second := w.manage(t, http.MethodGet, "/targets/nobody", nil), w.manage(t, http.MethodGet, "/exchanges/nothing", nil)
	if first.status != 404 || first.text("title") == "" || first.text("title") != second.text("title") || first.text("type") != second.text("type") {
		t.Errorf("%s and %s", first.raw, second.raw)
	}
}

func fittingHeaders(t *testing.T, w *world) {
	all := problems(t, w)
	if all[405].header.Get("Allow") != http.MethodPost {
		t.Errorf("Allow %q", all[405].header.Get("Allow"))
	}
	if !strings.HasPrefix(all[401].header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("WWW-Authenticate %q", all[401].header.Get("WWW-Authenticate"))
	}
}
