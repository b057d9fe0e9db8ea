/** Keys with which no fault takes long, by fault. */
export const QUICK_KEYS: Readonly<Record<string, string>> = {
  latency: "for=10ms",
  slow: "rate=200kb",
  slow_head: "gap=0ms",
  split_frames: "gap=0ms",
  slow_tokens: "ttft=5ms between=1ms",
  keepalive_flood: "count=20 among=1",
  cut: "after=3tokens",
  stall: "after=3tokens",
  error_event: "after=5tokens",
  malformed_frame: "after=5tokens",
};
