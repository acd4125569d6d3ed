// api: the node service's answer to each request; asperanoded(8), and
// etc/node-api.openapi.yaml, which is served, too.
//
//   POST /proxy/leases {"destination":"server.example.com","ssh_port":33001,"udp_port":33001}
//   201 {"id":"3a9fd819-…","host":"203.0.113.1","ssh_port":5000,"udp_port":5000,…}
//
// Each request goes through route, method and login, and then through what
// it needs (resolver, asp-lease). No thread waits for it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/address.h"
#include "config/config.h"
#include "config/destination_policy.h"
#include "gate.h"
#include "http/node_api.h"
#include "lease_link.h"
#include "live_config.h"
#include "metrics.h"
#include "refusal.h"
#include "resolver.h"
#include "timer.h"

namespace asperanoded {

class Api {
 public:
  struct Parts {
    Timer& timer;
    Gate& gate;
    Resolver& resolver;
    LeaseLink& link;
    Metrics& metrics;
    LiveConfig& config;
    std::string openapi;  // the text of the description
  };
  explicit Api(Parts parts);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  ~Api();  // first stops everything that may still call back

  // Handles one request; for node_api::Service.
  void handle(std::shared_ptr<node_api::Exchange> exchange);

  // Closes expired leases every <cleanup_interval>, from now on.
  void start_sweeping();
  void count_connections(std::function<std::size_t()> connections) { connections_ = std::move(connections); }

 private:
  struct Route {
    const char* path;
    const char* methods;  // for Allow
    bool open;            // without a login
  };
  // A request that is being answered.
  struct Call {
    std::shared_ptr<node_api::Exchange> exchange;
    std::shared_ptr<const config::Config> config;
    const Route* route = nullptr;
    std::string id;         // of the lease in the path
    config::NodeUser user;  // without a name: no login was needed
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    const config::Proxy& proxy() const { return config->proxy; }
    const node_api::Request& request() const { return exchange->request(); }
    bool is(const char* method) const;
  };
  using CallPointer = std::shared_ptr<Call>;
  using Answered = void (Api::*)(const Call&, const std::vector<Record>&);

  static const Route kRoutes[];
  static const Route& route_of(const std::string& path, std::string& id);
  config::destination::Surroundings surroundings();

  void guarded(const Call& call, const std::function<void()>& work);
  void answer(const Call& call, node_api::Answer answer);
  void refuse(const Call& call, const Refusal& refusal);

  void admit(const CallPointer& call);
  void login(const CallPointer& call);
  void dispatch(const CallPointer& call);
  void open_lease(const CallPointer& call);
  void open_at(const Call& call, const struct LeaseRequest& wanted, const std::vector<IpAddress>& addresses);
  IpAddress choose(const Call& call, const struct LeaseRequest& wanted, const std::vector<IpAddress>& addresses);
  void metrics(const CallPointer& call);
  void ask(const Call& call, Record request, bool with_connection, Answered answered);

  void opened(const Call& call, const std::vector<Record>& packets);
  void give_back(const Call& call, const std::string& id);
  void shown(const Call& call, const std::vector<Record>& packets);
  void renewed(const Call& call, const std::vector<Record>& packets);
  void closed(const Call& call, const std::vector<Record>& packets);
  void listed(const Call& call, const std::vector<Record>& packets);

  void sweep_later();
  void sweep();

  Parts parts_;
  std::mutex mutex_;
  config::destination::Surroundings here_;
  std::chrono::steady_clock::time_point here_read_{};
  std::atomic<int> lists_{0};
  std::atomic<bool> sweeping_{false};
  std::function<std::size_t()> connections_;
};

}  // namespace asperanoded
