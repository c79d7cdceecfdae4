import threading

from penstock.tools.metric import collecting, log_metric


def test_metrics_are_collected_inside_and_ignored_outside():
    log_metric("lost", 1)
    with collecting() as metrics:
        log_metric("accuracy", 0.5)
        log_metric("accuracy", 0.7, variant_id="variant_0")
    log_metric("late", 1)
    assert metrics == {"accuracy": 0.7}


def test_a_thread_that_the_aggregation_started_is_heard():
    with collecting() as metrics:
        thread = threading.Thread(target=log_metric, args=("from_thread", 1))
        thread.start()
        thread.join()
    assert metrics == {"from_thread": 1}


def test_two_collections_side_by_side_stay_apart():
    found = {}
    both = threading.Barrier(2)

    def aggregate(name):
        with collecting() as metrics:
            both.wait()
            log_metric(name, name)
            both.wait()
        found[name] = metrics

    threads = [threading.Thread(target=aggregate, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"a": {"a": "a"}, "b": {"b": "b"}}
