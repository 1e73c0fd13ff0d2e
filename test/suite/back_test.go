//go:build !reference

package suite

import "time"

// back is how long the service may be away after a kill: it takes a tenth of
// a second, and not a whole one, but on a machine that is busy with other
// tests, or has a slow disk, much longer. The tests of the tag reference are
// run one by one and are strict.
const back = 20 * time.Second
