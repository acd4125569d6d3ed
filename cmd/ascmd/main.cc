// ascmd: lists, makes, moves and removes files for a client that speaks over SSH; ascmd(1).
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <string_view>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/options.h"
#include "base/rooted.h"
#include "base/tool.h"
#include "conversation.h"

namespace {

constexpr char kUsage[] = "ascmd [-V 1|2] [-a rights] [-d docroot]";

// A tree is gone into with a descriptor, or two, open on each level.
void raise_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string working_directory() {
  char path[PATH_MAX];
  return ::getcwd(path, sizeof path) ? path : "/";
}

// Without a docroot all files are there, and a path begins where the user is.
Rooted root_of(const Options& options) {
  constexpr int kFlags = O_PATH | O_DIRECTORY;
  if (options.has('d')) return Rooted(fd::open(options.get('d', ""), kFlags));
  return Rooted(fd::open("/", kFlags), working_directory());
}

ascmd::Rights rights_of(const std::string& letters) {
  ascmd::Rights rights{false, false, false};
  for (const char letter : letters) {
    if (letter == 'r') rights.read = true;
    else if (letter == 'w') rights.write = true;
    else if (letter == 'l') rights.list = true;
    else options::fail_usage(kUsage, "rights are letters of rwl");
  }
  return rights;
}

std::string platform() {
  utsname about{};
  ::uname(&about);
  return fmt::format("{} {}", about.sysname, about.machine);
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "V:a:d:", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  const auto protocol = options.has('V') ? options::number(options.get('V', ""), 'V', 1, 2) : 1;
  raise_descriptors();
  const Rooted root = root_of(options);
  ascmd::Conversation conversation(root, rights_of(options.get('a', "rwl")),
                                   {platform(), "Sallyport " SALLYPORT_VERSION, {}, static_cast<int>(protocol)});
  conversation.serve(STDIN_FILENO, STDOUT_FILENO);
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("ascmd", kUsage, run, argc, argv, tool::Audience::operators); }
