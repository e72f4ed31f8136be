package introspect

import "github.com/strait-sts/strait/internal/exchange"

// Read is read, for the fuzzer.
func Read(body []byte) (exchange.Claims, error) { return read(body) }

// Kept counts the answers that the client remembers.
func Kept(c *Client) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.kept)
}
