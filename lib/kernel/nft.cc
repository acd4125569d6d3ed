#include "kernel/nft.h"

#include <dlfcn.h>

#include <memory>
#include <new>

#include <fmt/core.h>
#include <nftables/libnftables.h>

#include "base/failure.h"

namespace nft {
namespace {

// libnftables is loaded when it is needed: linking with it costs each start of a program 2 ms, and
// most sessions are forwarded by iptables.
struct Library {
  decltype(&::nft_ctx_new) ctx_new = nullptr;
  decltype(&::nft_ctx_free) ctx_free = nullptr;
  decltype(&::nft_ctx_buffer_output) buffer_output = nullptr;
  decltype(&::nft_ctx_buffer_error) buffer_error = nullptr;
  decltype(&::nft_ctx_get_output_buffer) output = nullptr;
  decltype(&::nft_ctx_get_error_buffer) error = nullptr;
  decltype(&::nft_ctx_output_set_flags) set_flags = nullptr;
  decltype(&::nft_run_cmd_from_buffer) run = nullptr;
};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (!function) throw tool::Failure(tool::os, fmt::format("load libnftables: it has no {}", name));
}

Library load() {
  constexpr char kLibraryName[] = "libnftables.so.1";
  void* library = ::dlopen(kLibraryName, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw tool::Failure(tool::os, fmt::format("load {}: {}", kLibraryName, ::dlerror()));
  Library all;
  find(library, "nft_ctx_new", all.ctx_new);
  find(library, "nft_ctx_free", all.ctx_free);
  find(library, "nft_ctx_buffer_output", all.buffer_output);
  find(library, "nft_ctx_buffer_error", all.buffer_error);
  find(library, "nft_ctx_get_output_buffer", all.output);
  find(library, "nft_ctx_get_error_buffer", all.error);
  find(library, "nft_ctx_output_set_flags", all.set_flags);
  find(library, "nft_run_cmd_from_buffer", all.run);
  return all;
}

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

using Context = std::unique_ptr<nft_ctx, decltype(&::nft_ctx_free)>;

Context make_context() {
  const Library& lib = library();
  Context context(lib.ctx_new(NFT_CTX_DEFAULT), lib.ctx_free);
  if (!context) throw std::bad_alloc();
  if (lib.buffer_output(context.get()) != 0 || lib.buffer_error(context.get()) != 0) throw std::bad_alloc();
  return context;
}

// The context is kept: closing a socket that has deleted something takes 20 ms, in which the kernel
// waits for all its processors. The library drops what it remembers of the ruleset when anybody has
// changed that.
nft_ctx* kept_context() {
  static const Context kept = make_context();
  return kept.get();
}

std::string refusal(nft_ctx* context) {
  const std::string why = library().error(context);
  return why.empty() ? "no reason given" : why;
}

}  // namespace

bool is_installed() {
  try {
    library();
    return true;
  } catch (const tool::Failure&) {
    return false;
  }
}

std::string try_apply(const std::string& text) {
  nft_ctx* context = kept_context();
  return library().run(context, text.c_str()) == 0 ? "" : refusal(context);
}

void apply(const std::string& text) {
  if (const auto why = try_apply(text); !why.empty()) throw tool::Failure(tool::os, fmt::format("run nft: {}", why));
}

// Uses a fresh context each time, since that does not keep the long answer.
std::string list(const std::string& what) {
  const Context context = make_context();
  library().set_flags(context.get(), NFT_CTX_OUTPUT_JSON);
  if (library().run(context.get(), ("list " + what).c_str()) == 0) return library().output(context.get());
  const std::string why = refusal(context.get());
  if (why.find("No such file or directory") != std::string::npos) return {};
  throw tool::Failure(tool::os, fmt::format("list {} by nft: {}", what, why));
}

}  // namespace nft
