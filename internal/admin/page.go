package admin

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The size of a page: without limit, and at most.
const (
	defaultLimit = 100
	maxLimit     = 500
)

// page is one page of a list, asked for or answered.
type page struct {
	limit int
	after string // the key of the last item of the page before; "" for the first
}

// listBody is the answer of every list.
type listBody struct {
	Items         any    `json:"items"`
	NextPageToken string `json:"nextPageToken,omitempty"`
}

// cursor makes the token of the page that begins after the item with this key.
// It names the list, so that the token of one is not taken for another's.
func cursor(list, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1\n" + list + "\n" + key))
}

// parseCursor is the key of a token for this list. The key is judged by who
// uses it, and goes to the database as a parameter alone: callers can make
// tokens themselves.
func parseCursor(list, token string) (key string, ok bool) {
	if len(token) > 512 {
		return "", false
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", false
	}
	key, ok = strings.CutPrefix(string(text), "1\n"+list+"\n")
	return key, ok && key != "" && cursor(list, key) == token
}

// query reads the parameters of a request's query: only those named, each at
// most once. A misspelt filter would otherwise show more than was asked for.
func query(r *http.Request, names ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(Unreadable, "the query cannot be read")
	}
	for name, sent := range values {
		if !slices.Contains(names, name) {
			return nil, refuse(Unreadable, "the query has a parameter that this path does not know: "+strconv.Quote(name))
		}
		if len(sent) > 1 {
			return nil, refuse(Unreadable, "the query has a parameter twice: "+name)
		}
	}
	return values, nil
}

// readPage reads limit and pageToken; valid judges the token's key.
func readPage(values url.Values, list string, valid func(string) bool) (page, error) {
	p := page{limit: defaultLimit}
	if text := values.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > maxLimit {
			return p, refuse(Unreadable, "limit is not a number from 1 to "+strconv.Itoa(maxLimit))
		}
		p.limit = limit
	}
	token := values.Get("pageToken")
	if token == "" {
		return p, nil
	}
	key, ok := parseCursor(list, token)
	if !ok || !valid(key) {
		return p, refuse(Unreadable, "pageToken is not one that this list gave out")
	}
	p.after = key
	return p, nil
}

// cut ends a page: found is at most one more than the limit; the surplus one
// says that there is a next page. show is an item as it is answered.
func cut[T, V any](p page, list string, found []T, key func(T) string, show func(T) V) listBody {
	body := listBody{}
	if len(found) > p.limit {
		found = found[:p.limit]
		body.NextPageToken = cursor(list, key(found[p.limit-1]))
	}
	items := make([]V, len(found))
	for i, item := range found {
		items[i] = show(item)
	}
	body.Items = items
	return body
}

// clean says whether text can stand in a filter: UTF-8 without control
// characters, which PostgreSQL would refuse.
func clean(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
