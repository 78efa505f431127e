// SPDX-License-Identifier: MIT
// Items per second through a Go channel of 1024 words: queue PAIRS
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

const total = 4000000

func round(pairs int) float64 {
	channel := make(chan uintptr, 1024)
	var group sync.WaitGroup
	group.Add(2 * pairs)
	begin := time.Now()
	for p := 0; p < pairs; p++ {
		go func() {
			for i := 0; i < total/pairs; i++ {
				channel <- uintptr(i)
			}
			group.Done()
		}()
		go func() {
			sum := uintptr(0)
			for i := 0; i < total/pairs; i++ {
				sum += <-channel
			}
			_ = sum
			group.Done()
		}()
	}
	group.Wait()
	return total / time.Since(begin).Seconds()
}

func main() {
	pairs, _ := strconv.Atoi(os.Args[1])
	round(1) // warm-up
	fmt.Printf("%.0f\n", round(pairs))
}
