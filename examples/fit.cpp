// Fits a latent SDE to handwritten digits, holds it against digits it has not seen, and draws new
// ones.
#include <ito/ito.hpp>

#include <cstddef>
#include <cstdio>
#include <span>

// 8 × 8 pixels of 0 to 16, seen at the end of a path in 8 dimensions.
ito::LatentModel digits_model() {
  const auto net = [](int hidden) {
    return ito::Mlp{.hidden = {hidden}, .activation = ito::Activation::silu};
  };
  return {
      .model = {.state = 8,
                .grid = ito::uniform_grid(/*horizon=*/1.0, /*steps=*/16),
                .drift = ito::Mlp{.hidden = {32}},
                .diffusion =
                    ito::DiagonalDiffusion{{.hidden = {16}, .output = ito::Activation::softplus}},
                .control = ito::FeedbackControl{net(64), /*context=*/32}},
      .encoder = ito::MlpEncoder{net(128), /*shift=*/8, /*scale=*/0.125},
      .decoder = ito::MlpDecoder{net(128)},
      .likelihood = ito::Binomial{.count = 16},
      .observed = 64,
  };
}

void draw(std::span<const float> image) {
  for (std::size_t i = 0; i < 64; ++i) {
    std::printf("%c%s", " .:-=+*#%"[static_cast<int>(image[i] / 2)], i % 8 == 7 ? "\n" : "");
  }
}

int main(int argc, char** argv) {
  const ito::LatentModel latent = digits_model();
  const ito::Dataset digits = ito::read_dataset(argc > 1 ? argv[1] : "digits/digits.csv");
  const ito::Dataset training = digits.slice(0, 1500);
  const ito::Dataset held_out = digits.slice(1500, digits.count);

  const ito::FitResult fitted =
      ito::fit(latent, {.epochs = 40, .batch = 50, .learning_rate = 0.01, .averaging = 0.98},
               training, held_out, ito::console_progress());
  const ito::Evaluation bounds = ito::evaluate(latent, fitted.parameters, {}, held_out);
  std::printf("log p(y) of a digit: at least %.1f ± %.1f nats; effective sample size %.0f of %zu\n",
              bounds.iwae, bounds.iwae_error, bounds.ess, bounds.samples);

  const ito::Dataset drawn = ito::sample(latent, fitted.parameters, /*count=*/2, {.mean = true});
  for (std::size_t i = 0; i < drawn.count; ++i) draw(drawn.row(i));
  ito::save_safetensors(fitted.parameters, "fitted.safetensors");

  const ito::BaselineScore pixels = ito::independent_columns(latent.likelihood, training, held_out);
  std::printf("each pixel on its own: %.1f ± %.1f\n", pixels.log_probability,
              pixels.log_probability_error);
  return bounds.iwae > pixels.log_probability ? 0 : 1;
}
