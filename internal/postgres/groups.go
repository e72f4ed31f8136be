package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/strait-sts/strait/internal/audit"
)

// groupID names the group of a record (see migration 00006).
type groupID [sizeOfUUID]byte

// groupOf is the group of the records that have these copies: the first half of
// the SHA-256 of what they agree in, each preceded by its length. The order of
// targets, which the caller chose, makes no other group.
func groupOf(c *audit.Copies) (id groupID) {
	var room [512]byte
	text := room[:0]
	for _, part := range [...]string{c.Client, c.Issuer, c.Policy, c.Decision, c.Reason} {
		text = appendPart(text, part)
	}
	for _, target := range inOrder(c.Targets) {
		text = appendPart(text, target)
	}
	digest := sha256.Sum256(text)
	copy(id[:], digest[:])
	return id
}

func inOrder(targets []string) []string {
	if slices.IsSorted(targets) {
		return targets
	}
	return slices.Sorted(slices.Values(targets))
}

func appendPart(to []byte, part string) []byte {
	return append(append(strconv.AppendInt(to, int64(len(part)), 10), ':'), part...)
}

// maxGroupsKnown bounds what a chain remembers of groups, some 4 MB.
const maxGroupsKnown = 1 << 16

// groupsOf are the groups of the rows.
func groupsOf(rows []audit.Row) []groupID {
	groups := make([]groupID, len(rows))
	for i := range rows {
		groups[i] = groupOf(&rows[i].Copies)
	}
	return groups
}

// introduce writes the groups that the chain has not met yet, before any record
// of theirs and in a transaction of its own: a group without records does no
// harm, and nobody waits for one while the append waits for a lock. Two chains can meet on new groups: both write them in the order of
// ids, so that neither waits for the other.
func (c *chain) introduce(ctx context.Context, rows []audit.Row, groups []groupID) error {
	unknown := map[groupID]*audit.Copies{}
	for i, group := range groups {
		if _, known := c.groups[group]; !known {
			unknown[group] = &rows[i].Copies
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(unknown), func(a, b groupID) int { return bytes.Compare(a[:], b[:]) })
	var columns [7][]string
	for _, id := range ids {
		c := unknown[id]
		for i, text := range [...]string{hex.EncodeToString(id[:]), c.Client, c.Issuer, c.Policy, c.Decision, c.Reason, strings.Join(inOrder(c.Targets), "\n")} {
			columns[i] = append(columns[i], text)
		}
	}
	_, err := c.conn.Exec(ctx, `
		INSERT INTO record_groups (id, client, issuer, policy, decision, reason, targets)
		SELECT id::uuid, client, issuer, policy, decision, reason, string_to_array(targets, E'\n')
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
			AS r (id, client, issuer, policy, decision, reason, targets)
		ON CONFLICT DO NOTHING`, columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6])
	if err != nil {
		return err
	}
	c.meet(ids)
	return nil
}

// meet remembers groups that are written.
func (c *chain) meet(ids []groupID) {
	if c.groups == nil || len(c.groups)+len(ids) > maxGroupsKnown {
		c.groups = map[groupID]struct{}{}
	}
	for _, id := range ids {
		c.groups[id] = struct{}{}
	}
}
