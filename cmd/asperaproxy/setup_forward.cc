#include "setup_forward.h"

#include <gnutls/x509.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <thread>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/paths.h"
#include "base/signals.h"
#include "base/whole_file.h"
#include "config/config.h"
#include "config/node_users.h"
#include "doctor.h"
#include "session/spool.h"
#include "setup_outsider.h"
#include "unit.h"

namespace asperaproxy::setup {
namespace {

constexpr char kScript[] = "/etc/init.d/asperaproxy";
constexpr Port kUsualPort = 9092;

void wait_for(Port port) {
  const auto deadline = Deadline::in(std::chrono::seconds(20));
  while (!doctor::listens(port)) {
    if (deadline.over())
      throw tool::Failure(tool::os,
                          fmt::format("nobody listens on TCP {} within 20 s: journalctl -t asperanoded", port));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string last_line(const std::string& text) {
  const auto lines = cut::lines(text);
  return lines.empty() ? "it gave no reason" : std::string(lines.back());
}

// A file that root alone can read, while it lives.
struct Secret {
  explicit Secret(const std::string& text) { whole_file::write(path, text + "\n"); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { ::unlink(path.c_str()); }
  const std::string path = fmt::format("{}/setup-password", paths::kRun);
};

}  // namespace

Port node_port() {
  const auto node = config::load(paths::kConfig, config::Author::root).node;
  const auto found = std::find_if(node.listeners.begin(), node.listeners.end(),
                                  [](const config::Listener& listener) { return listener.tls; });
  return found == node.listeners.end() ? kUsualPort : found->port;
}

Step node_user_step(const Answers& answers, const Journal&) {
  if (answers.node_user.empty()) return {"node user", "none yet: asnodeadmin makes one"};
  Step step{"node user", fmt::format("{} may lease ways through the proxy", answers.node_user)};
  const auto users = config::node_users::load(paths::kNodeUsers);
  if (std::any_of(users.begin(), users.end(),
                  [&](const config::NodeUser& user) { return user.name == answers.node_user; }))
    return step;
  if (answers.password.empty() && !has_terminal())
    throw tool::Failure(tool::usage, "there is no terminal to ask for the password on: --password-file is needed");
  Command add{
      {suite_program("asnodeadmin"), "-a", "-u", answers.node_user, "-x", kLeaseAccount}, "", answers.password.empty()};
  if (!add.asks) {
    add.argv.insert(add.argv.end(), {"-p", "-"});
    add.input = answers.password + "\n";
  }
  step.commands.push_back(std::move(add));
  step.undo.push_back({suite_program("asnodeadmin"), "-d", "-u", answers.node_user});
  return step;
}

Step node_service_step(const Answers& answers, const Journal&) {
  Step step{"node service", fmt::format("answers people inside at {}", answers.inside->text())};
  if (doctor::listens(kUsualPort)) return step;
  if (unit::runs_here()) {
    const std::vector<std::string> units{"asp-lease.socket", "asp-name.socket", "asp-redis.socket",
                                         "asperanoded.service"};
    std::vector<std::string> enable{unit::kSystemctl, "--quiet", "enable", "--now"};
    enable.insert(enable.end(), units.begin(), units.end());
    step.commands.push_back({enable});
    step.undo.push_back({unit::kSystemctl, "stop", "asperanoded.service"});
  } else {
    step.commands.push_back({{kScript, "start"}});
    step.undo.push_back({kScript, "stop"});
  }
  step.trial = [] { wait_for(node_port()); };
  return step;
}

doctor::Verdict lease_of(const Answers& answers) {
  if (answers.node_user.empty() || answers.password.empty() || !answers.target)
    return doctor::warn("none was tried: that needs a user's password, and a server outside",
                        fmt::format("asperaproxy setup --yes --node-user {} --password-file FILE --try {}",
                                    answers.node_user.empty() ? "NAME" : answers.node_user,
                                    answers.target ? answers.target->text() : "HOST"));
  const SignalsPutOff put_off({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP});  // so that nothing of it is left
  session::spool::prepare();
  const Outsider insider(*answers.inside);
  const Secret secret(answers.password);
  const auto done = insider.run(
      {suite_program("asp-forward"), "-q", "--proxy",
       fmt::format("dnats://{}@{}", answers.node_user, HostPort{answers.inside->text(), node_port()}.text()),
       "--fingerprint", certificate_print(), "--password-file", secret.path, "--to", answers.target->host, "--ssh-port",
       std::to_string(answers.target->port), "--", "/usr/bin/ssh-keyscan", "-T", "10", "-p", "%P", "%h"},
      60);
  const std::string who = fmt::format("{} to {}", answers.node_user, answers.target->text());
  if (done.status != 0)
    return doctor::fail(fmt::format("{}: {}", who, last_line(done.err)), "journalctl -t asperanoded -t asp-lease");
  if (done.out.find(" ssh-") == std::string::npos && done.out.find(" ecdsa-") == std::string::npos)
    return doctor::fail(fmt::format("{}: leased, but no SSH server answers through it", who),
                        "the outer firewall has to let it through, see below");
  return doctor::ok(fmt::format("{}: leased, the server's SSH answered through it, and given back", who));
}

std::string certificate_print() {
  std::string file = config::load(paths::kConfig, config::Author::root).node.cert_file;
  if (file.empty()) file = fmt::format("{}/etc/aspera_server_cert.pem", paths::kPrefix);
  const std::string pem = text_of(file).value_or("");
  gnutls_x509_crt_t certificate = nullptr;
  if (::gnutls_x509_crt_init(&certificate) != 0) return "";
  const std::unique_ptr<gnutls_x509_crt_int, decltype(&gnutls_x509_crt_deinit)> holder(certificate,
                                                                                       gnutls_x509_crt_deinit);
  const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(const_cast<char*>(pem.data())),
                             static_cast<unsigned>(pem.size())};
  unsigned char digest[32];
  std::size_t size = sizeof digest;
  if (::gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM) != 0 ||
      ::gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &size) != 0)
    return "";
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{}{:02X}", text.empty() ? "" : ":", byte);
  return text;
}

}  // namespace asperaproxy::setup
