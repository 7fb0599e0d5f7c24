//go:build !race

package iris_test

const raceDetector = false
