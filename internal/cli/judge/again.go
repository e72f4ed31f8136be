package judge

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/client"
)

// checkRecorded wants nothing beside a decision id that the record says.
func (in *explained) checkRecorded() error {
	alone := client.Question{Exchange: in.question.Exchange, At: in.question.At}
	given := in.subjectFile + in.subject + in.actorFile + in.actor
	if !reflect.DeepEqual(in.question, alone) || given != "" {
		return console.Usage("--exchange says what was asked; leave --client, tokens, targets and scopes out")
	}
	if alone.At != "" && alone.At != "record" && alone.At != "now" {
		return console.Usage("--at: want record or now, not %q", alone.At)
	}
	return nil
}

// writeThen tells what the record says, and whether that is what was decided now.
func (e *explanation) writeThen(t *console.Page) {
	then := e.Recorded
	asked := named("for", e.Targets...) + named("scope", e.Scopes.Requested...)
	who := "client " + then.Client
	if then.Client == "" {
		who = "a client that was not authenticated"
	}
	t.Note("asked", fmt.Sprintf("%s%s, at %s", who, asked, then.Time.Format(time.RFC3339)))
	came := strings.TrimSpace(then.Decision+" "+then.Reason) + named("policy", then.Policy)
	if then.Lifetime > 0 {
		came += named("scope", then.Scopes...) + ", " + (time.Duration(then.Lifetime) * time.Second).String()
	}
	t.Note("recorded", fmt.Sprintf("%s (revision %d)", came, then.Revision))
	verdict := "the same"
	switch {
	case e.Unknown != "":
		return
	case !e.Agrees:
		verdict = "not what was recorded"
	}
	t.Note(fmt.Sprintf("at revision %d", e.Revision), verdict)
}

// named is a part of a line behind its name, where there is one.
func named(name string, values ...string) string {
	text := strings.Join(values, " ")
	if text == "" {
		return ""
	}
	return ", " + name + " " + text
}
