package telemetry

import (
	"io"
	"log/slog"
	"strings"
)

// NewLogger makes the program's logger: format is "json" or "text".
func NewLogger(w io.Writer, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// redact drops the value of an attribute that is secret by its name: the
// second fence, behind the type exchange.Secret.
func redact(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindGroup {
		return a
	}
	name := strings.ToLower(a.Key)
	for _, secret := range []string{"token", "secret", "password", "authorization", "assertion", "cookie"} {
		if strings.HasSuffix(name, secret) {
			return slog.String(a.Key, "[redacted]")
		}
	}
	return a
}
