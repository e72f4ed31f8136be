package fetch

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// read judges an answer from the outside in: status, content, size.
func read(answer *http.Response, r Request) (Response, error) {
	maxAge, hasMaxAge := freshness(answer.Header)
	response := Response{ETag: answer.Header.Get("ETag"), MaxAge: maxAge, HasMaxAge: hasMaxAge}
	switch status := answer.StatusCode; {
	case status == http.StatusNotModified && r.ETag != "":
		response.NotModified = true
		return response, nil
	case status >= 300 && status < 400:
		return Response{}, fmt.Errorf("%w: status %d", ErrRedirect, status)
	case status != http.StatusOK:
		return Response{}, fmt.Errorf("%w: %d", ErrStatus, status)
	}
	if err := checkContent(answer.Header); err != nil {
		return Response{}, err
	}
	var err error
	response.Body, err = readBody(answer, r.MaxBytes)
	return response, err
}

// checkContent wants JSON as it is (RFC 9110 §8.3, §8.4): a type of
// application/json or one that ends in +json (RFC 6839 §3.1), not compressed.
func checkContent(h http.Header) error {
	if h.Get("Content-Encoding") != "" {
		return fmt.Errorf("%w: a content encoding that was not asked for", ErrContent)
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "application/json" && (!strings.HasPrefix(kind, "application/") || !strings.HasSuffix(kind, "+json")) {
		return fmt.Errorf("%w: its type is not JSON", ErrContent)
	}
	return nil
}

// readBody reads at most most bytes, and stops at the first one more.
func readBody(answer *http.Response, most int64) ([]byte, error) {
	if most <= 0 {
		most = DefaultMaxBytes
	}
	if answer.ContentLength > most {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, failure(err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	return body, nil
}

// freshness reads Cache-Control (RFC 9111 §5.2.2): max-age, or none at all where
// storing is forbidden. Where directives disagree the shortest wins; those that
// cannot be read count as none (RFC 9111 §4.2.1).
func freshness(h http.Header) (age time.Duration, known bool) {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			if found := seconds(value); !known || found < age {
				age, known = found, true
			}
		}
	}
	return age, known
}

// seconds reads delta-seconds (RFC 9111 §1.2.2), 0 where it cannot; what is too
// large for it means 2^31 seconds.
func seconds(s string) time.Duration {
	const most = 1 << 31
	s = strings.Trim(s, `"`)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > most {
		n = most
	}
	return time.Duration(n) * time.Second //nolint:gosec // G115: n is at most 2^31
}
