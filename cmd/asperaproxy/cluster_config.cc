// cluster-config: writes the configuration files of the cluster's other programs.
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/whole_file.h"
#include "cluster.h"
#include "cluster_text.h"
#include "config/config.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

constexpr char kFilesUsage[] = "asperaproxy cluster-config [--config aspera.conf] [--node NAME] [DIRECTORY]";
constexpr char kStandardFolder[] = SALLYPORT_PREFIX "/etc/cluster";

struct AskedFiles {
  std::string config;  // empty: the usual file, which must be root's
  std::string node;    // empty: this host
  std::string directory = kStandardFolder;
};

AskedFiles parse_files(const std::vector<std::string>& words) {
  static const option kOptions[] = {
      {"config", required_argument, nullptr, 'c'}, {"node", required_argument, nullptr, 'n'}, {nullptr, 0, nullptr, 0}};
  std::vector<char*> argv{const_cast<char*>("cluster-config")};
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  const int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  AskedFiles asked;
  ::optind = 0;
  for (int letter; (letter = ::getopt_long(argc, argv.data(), "+:", kOptions, nullptr)) != -1;) {
    if (letter == 'c') asked.config = ::optarg;
    else if (letter == 'n') asked.node = ::optarg;
    else options::fail_usage(kFilesUsage, "an option is unknown, or lacks its value");
  }
  if (argc - ::optind > 1) options::fail_usage(kFilesUsage, "one directory at most");
  if (::optind < argc) asked.directory = argv[static_cast<std::size_t>(::optind)];
  if (asked.directory.empty()) options::fail_usage(kFilesUsage, "an empty directory");
  return asked;
}

// Files with secrets are for root, and for the program that needs them.
void write_file(int directory, const std::string& shown, const cluster_text::File& file) {
  const struct group* const reader = !file.group.empty() && ::geteuid() == 0 ? ::getgrnam(file.group.c_str()) : nullptr;
  whole_file::Manner manner{.mode = 0644, .durable = true, .directory = directory};
  manner.beside = "." + file.name + ".new";
  manner.shown = fmt::format("{}/{}", shown, file.name);
  if (reader) manner.group = reader->gr_gid;
  if (!file.group.empty()) manner.mode = reader ? 0640 : 0600;
  whole_file::write(file.name, file.text, manner);
}

}  // namespace

int cluster_config(const std::vector<std::string>& words) {
  const AskedFiles asked = parse_files(words);
  const auto author = asked.config.empty() ? config::Author::root : config::Author::anyone;
  const auto cluster = config::load(asked.config.empty() ? paths::kConfig : asked.config, author).cluster;
  if (!cluster.enabled) throw tool::Failure(tool::config, "aspera.conf has no <cluster> that is enabled");
  if (!cluster.redis.empty() && cluster.redis_password_file.empty()) {
    throw tool::Failure(tool::config,
                        "<redis> without <redis_password_file>: whoever reaches the sync network could read and write "
                        "leases; set it to a file with a password, the same on each node");
  }
  // All texts are complete before any of them is written.
  const auto files = cluster::files(cluster, cluster::require_node(cluster, asked.node));
  if (::mkdir(asked.directory.c_str(), 0755) != 0 && errno != EEXIST)
    tool::fail_errno(tool::io, "create directory " + asked.directory);
  const Fd directory(::open(asked.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) tool::fail_errno(tool::io, "open " + asked.directory);
  std::string told;
  for (const auto& file : files) {
    write_file(directory.get(), asked.directory, file);
    told += fmt::format("{}/{}: belongs at {}\n", logging::escape(asked.directory), file.name, file.place);
  }
  io::write_all(STDOUT_FILENO, told);
  return tool::yes;
}

}  // namespace asperaproxy
