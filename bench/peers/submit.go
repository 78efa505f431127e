// SPDX-License-Identifier: MIT
// Goroutines that call the functions they get from a channel: submit CASE, as ../submit.h says.
package main

import (
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

const (
	workers       = 2
	tasks         = 1000000
	hotSamples    = 20000
	parkedSamples = 500
)

var channel = make(chan func(), 1024)

func work() {
	for f := range channel {
		f()
	}
}

func submit(n int) {
	var group sync.WaitGroup
	group.Add(n)
	for i := 0; i < n; i++ {
		channel <- group.Done
	}
	group.Wait()
}

func rate() {
	submit(tasks) // warm-up
	begin := time.Now()
	submit(tasks)
	fmt.Printf("%.0f\n", tasks/time.Since(begin).Seconds())
}

func latency(samples int, gap time.Duration) {
	var times []float64
	for i := 0; i < 200; i++ { // warm-up
		submit(1)
	}
	for i := 0; i < samples; i++ {
		if gap > 0 {
			time.Sleep(gap)
		}
		begin := time.Now()
		submit(1)
		times = append(times, float64(time.Since(begin).Nanoseconds())/1e3)
	}
	sort.Float64s(times)
	fmt.Printf("%.3f %.3f\n", times[samples/2], times[samples*99/100])
}

func main() {
	for i := 0; i < workers; i++ {
		go work()
	}
	switch os.Args[1] {
	case "rate":
		rate()
	case "hot":
		latency(hotSamples, 0)
	case "parked":
		latency(parkedSamples, time.Millisecond)
	default:
		os.Exit(2)
	}
}
