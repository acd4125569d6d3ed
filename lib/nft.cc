#include "nft.h"

#include <memory>
#include <new>

#include <fmt/core.h>
#include <nftables/libnftables.h>

#include "tool.h"

namespace nft {
namespace {

using Context = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

// A fresh one each time keeps no cache of a ruleset that others change; making
// it costs half a millisecond.
Context make_context() {
  Context context(::nft_ctx_new(NFT_CTX_DEFAULT), ::nft_ctx_free);
  if (!context) throw std::bad_alloc();
  if (::nft_ctx_buffer_output(context.get()) != 0 || ::nft_ctx_buffer_error(context.get()) != 0) throw std::bad_alloc();
  return context;
}

std::string refusal(nft_ctx* context) {
  const std::string why = ::nft_ctx_get_error_buffer(context);
  return why.empty() ? "no reason given" : why;
}

}  // namespace

std::string try_apply(const std::string& text) {
  const Context context = make_context();
  return ::nft_run_cmd_from_buffer(context.get(), text.c_str()) == 0 ? "" : refusal(context.get());
}

void apply(const std::string& text) {
  if (const auto why = try_apply(text); !why.empty()) throw tool::Failure(tool::os, fmt::format("run nft: {}", why));
}

std::string list(const std::string& what) {
  const Context context = make_context();
  ::nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_JSON);
  if (::nft_run_cmd_from_buffer(context.get(), ("list " + what).c_str()) == 0) return ::nft_ctx_get_output_buffer(context.get());
  const std::string why = refusal(context.get());
  if (why.find("No such file or directory") != std::string::npos) return {};
  throw tool::Failure(tool::os, fmt::format("list {} by nft: {}", what, why));
}

}  // namespace nft
