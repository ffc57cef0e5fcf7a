"""try"""
import time
def test_try(newsroom):
    """x"""
    t=time.time()
    newsroom.publish("2026-07-15", "Alpha", "Beta", "Gamma")
    print(newsroom.run("subscribers", "add", "ann@example.net", "bob@example.net").out)
    newsroom.sink.refusals["bob@example.net"] = "550 5.1.1 no such user"
    a = newsroom.run("run", "--date", "2026-07-15", "--now", "--json", expect=None)
    print(a.status, a.out, a.err)
    for m in newsroom.sink.mails: print(m.recipient, m.papers, m.message["subject"]); print(m.text)
    print(newsroom.tick("2026-07-16T08:00Z"))
    print(newsroom.sink.connections, time.time()-t)
