//go:build race

package finger_test

const raceDetector = true
