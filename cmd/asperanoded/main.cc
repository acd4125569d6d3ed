// asperanoded: the node service. It answers the HTTP(S) API by which people inside lease ports of the
// forward proxy; asperanoded(8).
//
// What only root may do is done first: by systemd's asperanoded -p, or by the service itself, which is
// sallyport-node from then on. Only asp-lease touches the kernel.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <optional>

#include <fmt/core.h>

#include "api.h"
#include "base/await.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/signals.h"
#include "base/tool.h"
#include "certificate.h"
#include "cluster/node_name.h"
#include "config/config.h"
#include "listeners.h"
#include "live_config.h"
#include "session/spool.h"
#include "startup.h"

namespace asperanoded {
namespace {

constexpr char kUsage[] = "asperanoded [-e | -p]";
constexpr std::chrono::seconds kFirstAnswerTime{20};
constexpr std::size_t kMaxDescription = 256 * 1024;
const std::string kDescription = std::string(paths::kPrefix) + "/share/node-api.openapi.yaml";

config::Config load_config() { return config::load(paths::kConfig, config::Author::root); }

struct Prepared {
  config::Config config;
  struct stat config_seen {};
  node_api::Tls tls;
  std::vector<node_api::Listening> sockets;
  std::string description;
  std::string notify_socket;
  Fd pid_file;
};

// What only root can do.
void prepare_as_root(const config::Config& config, const startup::Account& account) {
  session::spool::prepare();
  startup::make_pid_file();
  startup::write_tls(listeners::any_tls(config.node) ? certificate::load(config.node) : node_api::Tls{}, account);
}

Prepared prepare() {
  Prepared ready;
  if (::stat(paths::kConfig, &ready.config_seen) != 0)
    tool::fail_errno(tool::config, std::string("stat ") + paths::kConfig);
  ready.config = load_config();
  logging::set_level(ready.config.rproxy.log_level);
  startup::check_settings(ready.config);
  startup::check_programs(ready.config.node);
  const auto account = startup::node_account();
  const char* notify_socket = std::getenv("NOTIFY_SOCKET");
  ready.notify_socket = notify_socket ? notify_socket : "";
  startup::prepare_process();
  if (::geteuid() == 0) prepare_as_root(ready.config, account);
  ready.pid_file = startup::take_pid_file();
  if (::geteuid() == 0) startup::write_pid();
  ready.sockets = listeners::bind_all(ready.config);
  ready.description = io::read_all(fd::open(kDescription, O_RDONLY).get(), kMaxDescription, kDescription);
  startup::drop_rights(account);
  if (listeners::any_tls(ready.config.node)) ready.tls = startup::read_tls();
  return ready;
}

// Checks that asp-lease is there, may be run, and can do its work.
void try_link(LeaseLink& link) {
  auto told = std::make_shared<std::promise<std::vector<Record>>>();
  auto future = told->get_future();
  Record request;
  request.add("request", "count");
  link.ask(request, Fd(), [told](std::vector<Record> packets) { told->set_value(std::move(packets)); });
  if (future.wait_for(kFirstAnswerTime) != std::future_status::ready)
    throw tool::Failure(tool::os, "asp-lease does not answer; asperaproxy check tries it");
  const auto packets = future.get();
  if (packets.empty()) {
    throw tool::Failure(tool::os, fmt::format("asp-lease gives no answer at {}: systemctl start asp-lease.socket, or "
                                              "/etc/init.d/asperaproxy start; asperaproxy check says why",
                                              paths::kLeaseSocket));
  }
  if (packets.back().require("answer") == "refused")
    throw tool::Failure(tool::os, "asp-lease: " + packets.back().get("reason").value_or("refused"));
}

void serve(Prepared ready, const Signals& signals) {
  const config::Proxy& proxy = ready.config.proxy;
  Timer timer;
  Metrics metrics(cluster::node_name_in(ready.config.cluster));
  Gate gate(paths::kNodeUsers, timer);
  Resolver resolver(timer);
  LeaseLink link(paths::kLeaseSocket);
  try_link(link);
  LiveConfig live(paths::kConfig, ready.config, ready.config_seen);
  Api api({timer, gate, resolver, link, metrics, live, std::move(ready.description)});
  node_api::Service service(std::move(ready.sockets), ready.tls,
                            [&](auto exchange) { api.handle(std::move(exchange)); });
  api.count_connections([&service] { return service.connections(); });
  api.start_sweeping();

  logging::event("proxy service ready (port range {}-{})", proxy.port_range_low, proxy.port_range_high);
  const std::string print =
      ready.tls.certificate.empty() ? "" : " certificate SHA-256 " + certificate::fingerprint(ready.tls.certificate);
  logging::event("Started on port(s) {}{}", listeners::text(ready.config.node), print);
  const Fd told = startup::tell_ready();
  startup::notify(ready.notify_socket, "READY=1");
  for (;;) {
    await::readable(signals.fd(), Deadline::never());
    const auto caught = signals.take();
    if (caught && caught->number != SIGHUP) break;
    if (caught) live.reread();
  }
  startup::notify(ready.notify_socket, "STOPPING=1");
  logging::event("Ended; leases go on");
}

int prepare_only() {
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "asperanoded -p must be started as root");
  const auto config = load_config();
  startup::check_settings(config);
  const auto account = startup::node_account();
  startup::prepare_process();
  prepare_as_root(config, account);
  return tool::yes;
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "ep", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  // Faults in the file are reported by the start itself.
  if (options.has('e')) {
    try {
      return load_config().proxy.enabled ? tool::yes : tool::no;
    } catch (const tool::Failure&) {
      return tool::yes;
    }
  }
  if (options.has('p')) return prepare_only();
  startup::check_account();
  const Signals signals({SIGHUP, SIGINT, SIGTERM});  // blocked before there are other threads, which inherit that
  try {
    serve(prepare(), signals);
  } catch (const tool::Failure& failure) {
    const std::string why = fmt::format("Failed to initialize proxy service: {}", failure.what());
    logging::error("{}", logging::escape(why));
    throw tool::Failure(failure.code(), why);
  }
  return tool::yes;
}

}  // namespace
}  // namespace asperanoded

int main(int argc, char** argv) {
  return tool::guard("asperanoded", asperanoded::kUsage, asperanoded::run, argc, argv, tool::Audience::operators);
}
