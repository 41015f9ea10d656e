#!/bin/sh
# Send two predictions, and the truth of one of them, to a Hindcast gateway with curl.
#
#   GATEWAY_URL=http://127.0.0.1:8700 GATEWAY_KEY=hgk_... sh send.sh
#
# Ids and times stand in the items: a request that is sent again, because no answer came, says the same and counts once.
set -eu

url=${GATEWAY_URL:-http://127.0.0.1:8700}
id=${PREDICTION_ID:-order-$$-$(date +%s)}
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# Posts what comes on standard input. curl waits as long as Retry-After says where the gateway has no room (429, 503).
send() {
    curl --silent --show-error --fail-with-body --max-time 60 --retry 5 --data-binary @- \
        --header "Authorization: Bearer ${GATEWAY_KEY:-none}" "$@"
    echo
}

# one event a line, compressed
gzip -c <<EOF | send "$url/v1/predictions" --header "Content-Type: application/x-ndjson" --header "Content-Encoding: gzip"
{"prediction_id": "$id-1", "event_time": "$now", "model": "delivery", "model_version": "7", "features": {"distance_km": 3.2, "vehicle": "bike"}, "score": 21.5}
{"prediction_id": "$id-2", "event_time": "$now", "model": "delivery", "model_version": "7", "features": {"distance_km": 12.0, "vehicle": "van"}, "score": 44.0}
EOF

# one object, answered when it is in Kafka
send "$url/v1/labels?durable=true" --header "Content-Type: application/json" <<EOF
{"label_id": "$id-1-arrived", "prediction_id": "$id-1", "model": "delivery", "truth_value": 25.0, "reported_at": "$now"}
EOF
