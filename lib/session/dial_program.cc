#include "session/dial_program.h"

#include "base/accounts.h"
#include "base/env.h"
#include "base/io.h"
#include "base/paths.h"

namespace session {
namespace {

constexpr int kControl = 3;  // descriptors of asp-dial; with a kept connection, where it listens
constexpr int kKey = 4;
constexpr int kArguments = 6;  // 5: the lock of a kept connection

// A pipe holds 64 KiB, as much as a key may have.
Fd pipe_with(const std::string& text) {
  auto pipe = fd::pipe();
  io::write_all(pipe.write.get(), text);
  return std::move(pipe.read);
}

}  // namespace

DialProgram::DialProgram(const Route& route, int family, const HostPort& host, const std::string& key,
                         const char* conducted, int control)
    : argv{std::string(paths::kBin) + "asp-dial",
           conducted,
           std::to_string(kControl),
           "-I",
           std::to_string(kKey),
           "-n",
           route.keyfile,
           "-l",
           route.upstream_user,
           "-k",
           route.known_hosts,
           "-t",
           std::to_string(route.connect_timeout.count())},
      key_(pipe_with(key)) {
  if (family != AF_UNSPEC) argv.push_back(family == AF_INET ? "-4" : "-6");
  if (route.old_algorithms) argv.push_back("-O");
  if (route.bind_source_address) argv.insert(argv.end(), {"-b", route.bind_source_address->text()});
  argv.push_back(host.text());
  mapping = {{control, kControl}, {key_.get(), kKey}};
}

child::Child DialProgram::start() const {
  std::string arguments;
  for (std::size_t i = 1; i < argv.size(); ++i) arguments += argv[i] + '\0';
  const Fd pipe = pipe_with(arguments);
  child::Program program{{argv[0], "-A", std::to_string(kArguments)},
                         env::allow({"TERM"}),
                         mapping,
                         accounts::identity_of(paths::kDialAccount)};
  program.mapping.emplace_back(pipe.get(), kArguments);
  program.outlives_us = outlives_us;
  return child::spawn(program);
}

}  // namespace session
