-- For wrk: a chat completion as the body of every request.
wrk.method = "POST"
wrk.body = '{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}'
wrk.headers["content-type"] = "application/json"
