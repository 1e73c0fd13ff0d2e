//go:build reference

package suite

import "time"

// back is how long the service may be away after a kill.
const back = time.Second
