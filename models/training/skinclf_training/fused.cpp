// Batch norm and ReLU6 as one, for training on a CPU with channels last: the two are limited by memory, and
// apart they read and write it thirteen times a step, together eight.

#include <ATen/Parallel.h>
#include <torch/extension.h>

#include <algorithm>
#include <vector>

namespace {

// Rows whose sums are kept in single precision before they are added up in double.
constexpr int64_t BLOCK = 256;

struct Shape {
  int64_t rows, channels;
  explicit Shape(const at::Tensor& x) : rows(x.size(0) * x.size(2) * x.size(3)), channels(x.size(1)) {
    TORCH_CHECK(x.is_cpu() && x.is_contiguous(at::MemoryFormat::ChannelsLast) && x.scalar_type() == at::kFloat,
                "takes single precision on a CPU, channels last");
  }
};

// Sums over rows of two values a channel; `add(row, first, second)` adds one row's.
template <typename Add>
void column_sums(Shape shape, std::vector<double>& first, std::vector<double>& second, const Add& add) {
  const int64_t threads = at::get_num_threads();
  std::vector<std::vector<double>> totals(threads, std::vector<double>(2 * shape.channels));
  at::parallel_for(0, threads, 1, [&](int64_t from, int64_t to) {
    for (int64_t thread = from; thread < to; thread++) {
      std::vector<float> block(2 * shape.channels);
      float* a = block.data();
      float* b = a + shape.channels;
      const int64_t end = shape.rows * (thread + 1) / threads;
      for (int64_t start = shape.rows * thread / threads; start < end; start += BLOCK) {
        std::fill(block.begin(), block.end(), 0.0f);
        for (int64_t row = start; row < std::min(end, start + BLOCK); row++) add(row, a, b);
        for (size_t i = 0; i < block.size(); i++) totals[thread][i] += block[i];
      }
    }
  });
  first.assign(shape.channels, 0.0);
  second.assign(shape.channels, 0.0);
  for (const auto& total : totals)
    for (int64_t c = 0; c < shape.channels; c++) first[c] += total[c], second[c] += total[shape.channels + c];
}

template <typename Each>
void each_row(Shape shape, const Each& each) {
  at::parallel_for(0, shape.rows, std::max<int64_t>(1, 32768 / shape.channels), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; row++) each(row);
  });
}

// Returns y, mean and 1/sigma; moves the running statistics.
std::vector<at::Tensor> forward(at::Tensor x, at::Tensor weight, at::Tensor bias, at::Tensor running_mean,
                                at::Tensor running_var, double momentum, double eps, bool clip) {
  const Shape shape(x);
  const int64_t C = shape.channels;
  const float* in = x.data_ptr<float>();
  std::vector<double> sum, squares;
  column_sums(shape, sum, squares, [&](int64_t row, float* __restrict a, float* __restrict b) {
    const float* __restrict r = in + row * C;
    for (int64_t c = 0; c < C; c++) a[c] += r[c], b[c] += r[c] * r[c];
  });
  at::Tensor y = at::empty_like(x), mean = at::empty_like(weight), inverse = at::empty_like(weight);
  std::vector<float> gain(C), shift(C);
  for (int64_t c = 0; c < C; c++) {
    const double m = sum[c] / shape.rows, v = std::max(0.0, squares[c] / shape.rows - m * m);
    mean.data_ptr<float>()[c] = m;
    inverse.data_ptr<float>()[c] = 1 / std::sqrt(v + eps);
    gain[c] = weight.data_ptr<float>()[c] * inverse.data_ptr<float>()[c];
    shift[c] = bias.data_ptr<float>()[c] - m * gain[c];
    float& rm = running_mean.data_ptr<float>()[c];
    float& rv = running_var.data_ptr<float>()[c];
    rm += momentum * (m - rm);
    rv += momentum * (v * shape.rows / std::max<int64_t>(1, shape.rows - 1) - rv);
  }
  float* out = y.data_ptr<float>();
  const float low = clip ? 0.0f : -INFINITY, high = clip ? 6.0f : INFINITY;
  each_row(shape, [&](int64_t row) {
    const float* __restrict r = in + row * C;
    float* __restrict o = out + row * C;
    const float* __restrict g = gain.data();
    const float* __restrict s = shift.data();
    for (int64_t c = 0; c < C; c++) o[c] = std::min(std::max(r[c] * g[c] + s[c], low), high);
  });
  return {y, mean, inverse};
}

// Returns the gradients of x, weight and bias.
std::vector<at::Tensor> backward(at::Tensor dy, at::Tensor x, at::Tensor weight, at::Tensor bias, at::Tensor mean,
                                 at::Tensor inverse, bool clip) {
  const Shape shape(x);
  const int64_t C = shape.channels;
  dy = dy.contiguous(at::MemoryFormat::ChannelsLast);
  const float* in = x.data_ptr<float>();
  const float* grad = dy.data_ptr<float>();
  std::vector<float> gain(C), shift(C);
  for (int64_t c = 0; c < C; c++) {
    gain[c] = weight.data_ptr<float>()[c] * inverse.data_ptr<float>()[c];
    shift[c] = bias.data_ptr<float>()[c] - mean.data_ptr<float>()[c] * gain[c];
  }
  const float low = clip ? 0.0f : -INFINITY, high = clip ? 6.0f : INFINITY;
  // The gradient where the activation is not cut off: what was is computed again from x.
  std::vector<double> sum, product;
  column_sums(shape, sum, product, [&](int64_t row, float* __restrict a, float* __restrict b) {
    const float* __restrict r = in + row * C;
    const float* __restrict d = grad + row * C;
    const float* __restrict g = gain.data();
    const float* __restrict s = shift.data();
    for (int64_t c = 0; c < C; c++) {
      const float v = r[c] * g[c] + s[c];
      const float kept = (v > low) & (v < high) ? d[c] : 0.0f;
      a[c] += kept, b[c] += kept * r[c];
    }
  });
  at::Tensor dx = at::empty_like(x), dweight = at::empty_like(weight), dbias = at::empty_like(weight);
  std::vector<float> slope(C), level(C);
  for (int64_t c = 0; c < C; c++) {
    const double m = mean.data_ptr<float>()[c], i = inverse.data_ptr<float>()[c];
    const double towards = (product[c] - m * sum[c]) * i;
    dweight.data_ptr<float>()[c] = towards;
    dbias.data_ptr<float>()[c] = sum[c];
    // dx = gain (kept - mean(kept) - x_hat mean(kept x_hat)), as kept * gain + x * slope + level
    slope[c] = -gain[c] * i * towards / shape.rows;
    level[c] = -gain[c] * sum[c] / shape.rows - slope[c] * m;
  }
  float* out = dx.data_ptr<float>();
  each_row(shape, [&](int64_t row) {
    const float* __restrict r = in + row * C;
    const float* __restrict d = grad + row * C;
    float* __restrict o = out + row * C;
    const float* __restrict g = gain.data();
    const float* __restrict s = shift.data();
    const float* __restrict k = slope.data();
    const float* __restrict l = level.data();
    for (int64_t c = 0; c < C; c++) {
      const float v = r[c] * g[c] + s[c];
      const float kept = (v > low) & (v < high) ? d[c] : 0.0f;
      o[c] = kept * g[c] + r[c] * k[c] + l[c];
    }
  });
  return {dx, dweight, dbias};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &forward);
  m.def("backward", &backward);
}
