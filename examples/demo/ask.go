package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// answerOfToken is the answer of /token: issued (RFC 8693 §2.2.1) or refused
// (RFC 6749 §5.2).
type answerOfToken struct {
	Status   int    `json:"-"`
	Token    string `json:"access_token"`
	Scope    string `json:"scope"`
	Code     string `json:"error"`
	Reason   string `json:"reason"`
	Decision string `json:"decision_id"` // of an issued token: from the header
}

// String leaves the token out.
func (a answerOfToken) String() string {
	return fmt.Sprintf("%d %s (%s), decision %s", a.Status, a.Code, a.Reason, a.Decision)
}

// ask is the gateway: it authenticates with HTTP Basic and exchanges the token
// for one for orders-api (RFC 8693 §2.1).
func (s *story) ask(ctx context.Context, token, scope string) (answerOfToken, error) {
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {token},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"audience":           {"orders-api"},
		"scope":              {scope},
	}
	var a answerOfToken
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("edge-gateway", s.secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return a, fmt.Errorf("the answer of /token (%s) cannot be read: %w", resp.Status, err)
	}
	a.Status = resp.StatusCode
	if a.Decision == "" {
		a.Decision = resp.Header.Get("X-Strait-Decision")
	}
	s.decisions = append(s.decisions, a.Decision)
	return a, nil
}
