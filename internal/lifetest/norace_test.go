//go:build !race

package lifetest

// fixedSeeds are how many lives each change is tried on.
const fixedSeeds = 200
