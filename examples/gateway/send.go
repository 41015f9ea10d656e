// Send two predictions, and the truth of one of them, to a Hindcast gateway.
//
//	GATEWAY_URL=http://127.0.0.1:8700 GATEWAY_KEY=hgk_... go run send.go
//
// It needs no module.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

const attempts = 5

type item map[string]any

type answer struct {
	Accepted int
	Refused  int
	IDs      []*string
	Outcomes []string
	Errors   []struct {
		Index  int
		Field  string
		Reason string
	}
	Error string
}

var client = http.Client{Timeout: time.Minute}

// send posts items. Where the gateway has no room (429, 503) it waits and sends them again: ids and times stand in the
// items, so what is said twice counts once.
func send(path string, items []item) (answer, error) {
	var found answer
	body, err := json.Marshal(items)
	if err != nil {
		return found, err
	}
	for attempt := 1; ; attempt++ {
		request, err := http.NewRequest(http.MethodPost, setting("GATEWAY_URL", "http://127.0.0.1:8700")+"/v1/"+path, bytes.NewReader(body))
		if err != nil {
			return found, err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+setting("GATEWAY_KEY", "none"))
		response, err := client.Do(request)
		if err != nil {
			return found, err
		}
		found = answer{}
		err = json.NewDecoder(response.Body).Decode(&found)
		response.Body.Close()
		if err != nil || response.StatusCode < 300 {
			return found, err
		}
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		if seconds == 0 || attempt == attempts {
			return found, fmt.Errorf("%s: %s %v", response.Status, found.Error, found.Errors)
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	log.SetFlags(0)
	id := setting("PREDICTION_ID", rand.Text())
	now := time.Now().UTC().Format(time.RFC3339Nano)
	taken, err := send("predictions", []item{
		{"prediction_id": id + "-1", "event_time": now, "model": "delivery", "model_version": "7",
			"features": item{"distance_km": 3.2, "vehicle": "bike"}, "score": 21.5},
		{"prediction_id": id + "-2", "event_time": now, "model": "delivery", "model_version": "7",
			"features": item{"distance_km": 12.0, "vehicle": "van"}, "score": 44.0},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d predictions taken, %d refused\n", taken.Accepted, taken.Refused)
	for _, problem := range taken.Errors {
		log.Printf("item %d %s: %s", problem.Index, problem.Field, problem.Reason)
	}
	told, err := send("labels?durable=true", []item{
		{"label_id": id + "-1-arrived", "prediction_id": id + "-1", "model": "delivery", "truth_value": 25.0, "reported_at": now},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("label %s\n", told.Outcomes[0])
}
