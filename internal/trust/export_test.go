package trust

// Remembered counts the tokens whose signature is remembered.
func (t *Trust) Remembered() int {
	t.proven.mu.RLock()
	defer t.proven.mu.RUnlock()
	return len(t.proven.young) + len(t.proven.old)
}
