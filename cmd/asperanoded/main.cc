// asperanoded: the node service. It answers the HTTP(S) API by which people inside lease ports of the
// forward proxy; asperanoded(8).
//
// It starts as root, reads what only root may read, binds its sockets, and is sallyport-node from then
// on. Only asp-lease touches the kernel.
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
#include "session/privileged.h"
#include "session/spool.h"
#include "startup.h"

namespace asperanoded {
namespace {

constexpr char kUsage[] = "asperanoded [-e]";
constexpr std::chrono::seconds kFirstAnswerTime{20};
constexpr std::size_t kMaxDescription = 256 * 1024;
const std::string kDescription = std::string(paths::kPrefix) + "/share/node-api.openapi.yaml";

config::Config load_config() { return config::load(paths::kConfig, config::Author::root); }

// What only root can prepare.
struct Prepared {
  config::Config config;
  struct stat config_seen {};
  node_api::Tls tls;
  std::vector<node_api::Listening> sockets;
  std::string description;
  std::string notify_socket;
  Fd pid_file;
};

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
  session::spool::prepare();
  ready.pid_file = startup::take_pid_file();
  if (listeners::any_tls(ready.config.node)) ready.tls = certificate::load(ready.config.node);
  ready.sockets = listeners::bind_all(ready.config);
  ready.description = io::read_all(fd::open(kDescription, O_RDONLY).get(), kMaxDescription, kDescription);
  startup::drop_root(account);
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
    throw tool::Failure(tool::os, "asp-lease, which sudo is to start, does not answer; asperaproxy check tries it");
  const auto packets = future.get();
  if (packets.empty()) {
    throw tool::Failure(tool::os, fmt::format("asp-lease gives no answer: as {0}, \"sudo -n -u root {1}asp-lease\" "
                                              "says why, or asperaproxy check does; sudoers.d/sallyport must permit it",
                                              paths::kNodeAccount, paths::kLibexec));
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
  LeaseLink link(session::Privileged::argv("asp-lease"));
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
  startup::write_pid(ready.pid_file);
  startup::notify(ready.notify_socket, "READY=1");
  for (;;) {
    await::readable(signals.fd(), Deadline::never());
    const auto caught = signals.take();
    if (caught && caught->number != SIGHUP) break;
    if (caught) live.reread();
  }
  startup::notify(ready.notify_socket, "STOPPING=1");
  startup::erase_pid(ready.pid_file);
  logging::event("Ended; leases go on");
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "e", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  // Faults in the file are reported by the start itself.
  if (options.has('e')) {
    try {
      return load_config().proxy.enabled ? tool::yes : tool::no;
    } catch (const tool::Failure&) {
      return tool::yes;
    }
  }
  if (::geteuid() != 0)
    throw tool::Failure(tool::not_permitted, "asperanoded must be started as root; it does not stay root");
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
  return tool::guard("asperanoded", asperanoded::run, argc, argv, tool::Audience::operators);
}
