// metrics: the counters of the node service, as Prometheus reads them (text format 0.0.4).
//
//   sallyport_node_leases_opened_total 17
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace asperanoded {

class Metrics {
 public:
  // `node` is the name of this host in a cluster, a label of every metric; empty: none.
  explicit Metrics(std::string node = {}) : node_(std::move(node)) {}

  void opened();
  void renewed();
  void closed(std::uint64_t count);
  void refused(const std::string& code);
  void login_failed();
  void answered(std::chrono::steady_clock::duration took);

  struct Now {
    std::string leases;  // living; empty: not known
    std::size_t connections = 0;
    unsigned restarts = 0;
    std::string version;
  };
  std::string text(const Now& now) const;

  static constexpr std::array<double, 10> kBuckets{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10};

 private:
  std::string all(const Now& now) const;

  const std::string node_;
  mutable std::mutex mutex_;
  std::uint64_t opened_ = 0;
  std::uint64_t renewed_ = 0;
  std::uint64_t closed_ = 0;
  std::uint64_t login_failures_ = 0;
  std::map<std::string, std::uint64_t> refused_;
  std::array<std::uint64_t, kBuckets.size()> within_{};
  std::uint64_t requests_ = 0;
  double seconds_ = 0;
};

}  // namespace asperanoded
