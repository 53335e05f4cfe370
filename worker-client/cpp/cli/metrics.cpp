#include "metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <stdexcept>

namespace orch::cli {
namespace {

class metrics : public observer {
public:
    explicit metrics(const std::string &listen) : exposer_(listen, 1) { exposer_.RegisterCollectable(registry_); }

    void started(std::string_view handler) override { running_.Add({{"handler", std::string(handler)}}).Increment(); }

    void ended(std::string_view handler, std::string_view outcome, std::chrono::duration<double> took) override
    {
        const std::string name(handler);
        running_.Add({{"handler", name}}).Decrement();
        tasks_.Add({{"handler", name}, {"outcome", std::string(outcome)}}).Increment();
        if (outcome == "lost") lost_.Increment();
        durations_.Add({{"handler", name}}, prometheus::Histogram::BucketBoundaries{.001, .005, .01, .05, .1, .5, 1, 5, 10, 60, 300, 1800})
            .Observe(took.count());
    }

    void refused(std::string_view status) override { refused_.Add({{"status", std::string(status)}}).Increment(); }
    void reconnected() override { reconnects_.Increment(); }

private:
    std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
    prometheus::Family<prometheus::Counter> &tasks_ =
        prometheus::BuildCounter().Name("orch_worker_tasks_total").Help("Attempts that ended, by handler and outcome.").Register(*registry_);
    prometheus::Family<prometheus::Gauge> &running_ =
        prometheus::BuildGauge().Name("orch_worker_tasks_running").Help("Attempts that run now.").Register(*registry_);
    prometheus::Family<prometheus::Histogram> &durations_ =
        prometheus::BuildHistogram().Name("orch_worker_task_duration_seconds").Help("From the lease to the end of an attempt.").Register(*registry_);
    prometheus::Family<prometheus::Counter> &refused_ = prometheus::BuildCounter()
                                                            .Name("orch_worker_refused_results_total")
                                                            .Help("Results that the engine did not take, by its word for why.")
                                                            .Register(*registry_);
    prometheus::Counter &lost_ = prometheus::BuildCounter()
                                     .Name("orch_worker_leases_lost_total")
                                     .Help("Attempts that were given to another worker while they ran here.")
                                     .Register(*registry_)
                                     .Add({});
    prometheus::Counter &reconnects_ =
        prometheus::BuildCounter().Name("orch_worker_reconnects_total").Help("Connections to the database that were made again.").Register(*registry_).Add({});
    prometheus::Exposer exposer_;  // last, so that it is gone before what it shows
};

}  // namespace

std::shared_ptr<observer> serve_metrics(const std::string &listen)
{
    try {
        return std::make_shared<metrics>(listen.find(':') == listen.npos ? "0.0.0.0:" + listen : listen);
    } catch (const std::exception &taken) {
        throw std::runtime_error("cannot serve metrics at " + listen + ": " + taken.what());
    }
}

}  // namespace orch::cli
