// asp-cp: copy files the way ascp does, SSH for control and encrypted UDP for
// the data. A transfer tool of the same shape, not FASP.
#include "arguments.h"
#include "base/tool.h"
#include "check.h"
#include "client.h"
#include "remote_files.h"
#include "server.h"
#include "transport.h"

namespace {

int run(int argc, char** argv) {
  const auto command = asp_cp::Command::parse(argc, argv);
  if (command.check) return asp_cp::check(command);
  if (command.browse != asp_cp::Browse::no) return asp_cp::browse(command);
  return command.server ? asp_cp::serve(command) : asp_cp::transfer(command);
}

}  // namespace

int main(int argc, char** argv) {
  asp_cp::leave(tool::guard("asp-cp", asp_cp::kUsage, run, argc, argv, tool::Audience::operators));
}
