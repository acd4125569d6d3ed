#include "metrics.h"

#include <fmt/core.h>

#include "base/prometheus.h"

namespace asperanoded {
namespace {

std::string head(const std::string& name, const char* type, const char* help) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

template <typename Number>
std::string single(const std::string& name, const char* type, const char* help, Number value) {
  return head(name, type, help) + fmt::format("{} {}\n", name, value);
}

}  // namespace

void Metrics::opened() {
  const std::lock_guard lock(mutex_);
  ++opened_;
}

void Metrics::renewed() {
  const std::lock_guard lock(mutex_);
  ++renewed_;
}

void Metrics::closed(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  closed_ += count;
}

// Codes come from our own table and from asp-lease, never from outside.
void Metrics::refused(const std::string& code) {
  const std::lock_guard lock(mutex_);
  ++refused_[code];
}

void Metrics::login_failed() {
  const std::lock_guard lock(mutex_);
  ++login_failures_;
}

void Metrics::answered(std::chrono::steady_clock::duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const std::lock_guard lock(mutex_);
  ++requests_;
  seconds_ += seconds;
  for (std::size_t i = 0; i < kBuckets.size(); ++i) {
    if (seconds <= kBuckets[i]) ++within_[i];
  }
}

std::string Metrics::text(const Now& now) const { return prometheus::with_label(all(now), "node", node_); }

std::string Metrics::all(const Now& now) const {
  const std::lock_guard lock(mutex_);
  std::string out = head("sallyport_node_build_info", "gauge", "Version of the node service.");
  out += fmt::format("sallyport_node_build_info{{version=\"{}\"}} 1\n", now.version);
  if (!now.leases.empty()) out += single("sallyport_node_leases", "gauge", "Leases that live.", now.leases);
  out += single("sallyport_node_leases_opened_total", "counter", "Leases opened since the start.", opened_);
  out += single("sallyport_node_leases_renewed_total", "counter", "Renewals since the start.", renewed_);
  out += single("sallyport_node_leases_closed_total", "counter",
                "Leases that the node service ended: on request, or because they were over.", closed_);
  out += single("sallyport_node_connections", "gauge", "Connections of clients.", now.connections);
  out += single("sallyport_node_lease_helper_restarts_total", "counter", "How often asp-lease was started anew.",
                now.restarts);
  out += single("sallyport_node_login_failures_total", "counter", "Names with wrong passwords.", login_failures_);
  out += head("sallyport_node_refused_total", "counter", "Requests refused, by code.");
  for (const auto& [code, count] : refused_)
    out += fmt::format("sallyport_node_refused_total{{code=\"{}\"}} {}\n", code, count);
  const std::string histogram = "sallyport_node_request_duration_seconds";
  out += head(histogram, "histogram", "From a whole request to its answer.");
  for (std::size_t i = 0; i < kBuckets.size(); ++i)
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", histogram, kBuckets[i], within_[i]);
  out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2:.6f}\n{0}_count {1}\n", histogram, requests_, seconds_);
  return out;
}
}  // namespace asperanoded
