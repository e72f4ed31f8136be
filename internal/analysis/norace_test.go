//go:build !race

package analysis_test

// raceEnabled: the race detector makes everything many times slower.
const raceEnabled = false
