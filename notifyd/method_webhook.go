package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/notify"
)

// Bounds of the webhook. What comes while its queue is full is dropped.
const (
	hookWaiting = 1000            // notifications that wait
	hookBytes   = 8 << 20         // octets of these
	hookBatch   = 100             // notifications in one request
	hookTries   = 8               // of one request; with the pauses between some 4 minutes
	hookPause   = time.Second     // after the first failure, then twice as long each time
	hookLongest = time.Minute     // pause, also if the receiver asks for more
	hookEnd     = 2 * time.Second // what is left when the process ends is sent for so long
)

// webhook posts notifications to a URL: arrays in JSON, in the order in which
// they came. A receiver that fails or is away gets a request again; one that
// refuses it (another 4xx, a redirection) does not.
type webhook struct {
	url, token string
	client     *http.Client
	log        *slog.Logger
	queue      *backlog
	pause      time.Duration // hookPause
	ended      chan struct{}
}

// newWebhook returns the webhook that the configuration names, nil if there is
// none.
func newWebhook(c *config.Config, log *slog.Logger) (*webhook, error) {
	text := config.NotifyWebhook.In(c)
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("notify_webhook: %q is not a URL of http or https", text)
	}
	w := &webhook{
		url: text, token: config.NotifyWebhookToken.In(c), log: log, pause: hookPause,
		queue: newBacklog("webhook", hookWaiting, hookBytes, log), ended: make(chan struct{}),
		client: &http.Client{
			Timeout:       config.NotifyWebhookTimeout.In(c),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	go w.run()
	return w, nil
}

// toWebhook puts the notification into the queue of the webhook.
func toWebhook(s *server, _ context.Context, m *notify.Message) error {
	if s.webhook == nil {
		return errors.New("no receiver: notify_webhook is not set")
	}
	s.webhook.queue.add(jsonOf(m))
	return nil
}

// run posts until the queue is closed and empty, or its time is over.
func (w *webhook) run() {
	defer close(w.ended)
	for {
		batch := w.queue.take(hookBatch)
		if batch == nil {
			return
		}
		if err := w.deliver(batch); err != nil {
			w.queue.lost(len(batch), err)
		}
	}
}

// deliver posts a batch until it is taken or refused, or was tried often
// enough.
func (w *webhook) deliver(batch [][]byte) error {
	body := append(append([]byte{'['}, bytes.Join(batch, []byte(","))...), "]\n"...)
	id := rand.Text()
	pause := w.pause
	for try := 1; ; try++ {
		again, err := w.post(body, id)
		if err == nil || !again.yes || try == hookTries {
			return err
		}
		if try == 1 {
			w.log.Warn("webhook does not answer as it should; trying again", "error", err)
		}
		select {
		case <-w.queue.over:
			return err
		case <-time.After(max(pause, min(again.after, hookLongest))):
		}
		pause = min(2*pause, hookLongest)
	}
}

// again is whether a request may be sent once more, and when at the earliest.
type again struct {
	yes   bool
	after time.Duration
}

// post sends one request. The id is the same for each try, so that a receiver
// whose answer was lost knows it again.
func (w *webhook) post(body []byte, id string) (again, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(w.queue.ctx, cancel)()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return again{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "gocyrus-notifyd")
	r.Header.Set("Delivery-ID", id)
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	a, err := w.client.Do(r)
	if err != nil {
		return again{yes: true}, err
	}
	defer a.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(a.Body, 64<<10)) // so that the connection can be used again
	if a.StatusCode/100 == 2 {
		return again{}, nil
	}
	switch {
	case a.StatusCode/100 == 5, a.StatusCode == http.StatusTooManyRequests, a.StatusCode == http.StatusRequestTimeout:
		after, _ := time.ParseDuration(a.Header.Get("Retry-After") + "s")
		return again{yes: true, after: after}, fmt.Errorf("status %s", a.Status)
	}
	return again{}, fmt.Errorf("refused: status %s", a.Status)
}

// Close posts what waits, for a short time.
func (w *webhook) Close() {
	if w == nil {
		return
	}
	w.queue.close()
	select {
	case <-w.ended:
	case <-time.After(hookEnd):
		w.queue.stop()
		<-w.ended
	}
	w.queue.report()
}
