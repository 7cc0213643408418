//go:build race

package lifetest

// fixedSeeds are fewer here: a life is the work of one goroutine, which runs
// ten times as long when it is watched for races.
const fixedSeeds = 20
