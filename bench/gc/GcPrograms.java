// The programs of bench/gc.cpp as a Java programmer writes them.
//
// usage: java GcPrograms PROGRAM WARM TIMED SIZES...
// prints: the sum, and the nanoseconds of the fastest of TIMED runs after WARM ones that the compiler
// learns from.
public class GcPrograms {
  static final class Node {
    Node left;
    Node right;
    int i;
    int j;
    Node(Node left, Node right) { this.left = left; this.right = right; }
    Node() {}
  }
  static final class Value {
    final long number;
    Value(long number) { this.number = number; }
  }
  static final class Entry {
    Entry newer;
    Entry older;
    Value value;
    int key;
  }
  static final class Link {
    Link next;
    final long value;
    Link(long value) { this.value = value; }
  }
  static final class Vertex {
    Vertex a;
    Vertex b;
    Vertex c;
    Vertex d;
    long value;
  }
  // bench/support/random.hpp
  static final class Random {
    long state = 0x9E3779B97F4A7C15L;
    int below(int limit) {
      state ^= state >>> 12;
      state ^= state << 25;
      state ^= state >>> 27;
      return (int) (((state * 0x2545F4914F6CDD1DL) >>> 32) * limit >>> 32);
    }
  }

  static int stretch, longLived, deepest, binaryDepth, entries, requests, list, graph;
  static Object sink;

  static Node bottomUp(int depth) {
    return depth == 0 ? new Node() : new Node(bottomUp(depth - 1), bottomUp(depth - 1));
  }
  static void populate(int depth, Node node) {
    if (depth == 0) return;
    node.left = new Node();
    node.right = new Node();
    populate(depth - 1, node.left);
    populate(depth - 1, node.right);
  }
  static long count(Node tree) { return tree == null ? 0 : 1 + count(tree.left) + count(tree.right); }
  static long size(int depth) { return (1L << (depth + 1)) - 1; }

  static long gcBench() {
    sink = bottomUp(stretch);
    sink = null;
    Node kept = new Node();
    populate(longLived, kept);
    double[] array = new double[500000];
    for (int k = 0; k < array.length; ++k) array[k] = 1.0 / (k + 1);
    for (int depth = 4; depth <= deepest; depth += 2) {
      long times = 2 * size(stretch) / size(depth);
      for (long k = 0; k < times; ++k) {
        Node tree = new Node();
        populate(depth, tree);
        sink = tree;
      }
      for (long k = 0; k < times; ++k) sink = bottomUp(depth);
    }
    return count(kept) + (array[1000] == 1.0 / 1001 ? 1 : 0);
  }

  static long binaryTrees() {
    long sum = count(bottomUp(binaryDepth + 1));
    Node kept = bottomUp(binaryDepth);
    for (int depth = 4; depth <= binaryDepth; depth += 2) {
      long times = 1L << (binaryDepth - depth + 4);
      for (long k = 0; k < times; ++k) sum += count(bottomUp(depth));
    }
    return sum + count(kept);
  }

  static void unlink(Entry entry) {
    entry.newer.older = entry.older;
    entry.older.newer = entry.newer;
  }
  static void toFront(Entry ends, Entry entry) {
    entry.older = ends.older;
    entry.newer = ends;
    entry.older.newer = entry;
    ends.older = entry;
  }
  static long cache() {
    int keys = entries + entries / 9;
    Entry[] table = new Entry[keys];
    Entry ends = new Entry();
    ends.newer = ends.older = ends;
    Random random = new Random();
    int filled = 0;
    long sum = 0;
    for (int k = 0; k < requests; ++k) {
      int key = random.below(keys);
      Value value = new Value(k);
      Entry entry = table[key];
      if (entry != null) {
        sum += entry.value.number;
        entry.value = value;
        unlink(entry);
        toFront(ends, entry);
        continue;
      }
      if (filled == entries) {
        Entry oldest = ends.newer;
        unlink(oldest);
        table[oldest.key] = null;
      } else {
        ++filled;
      }
      entry = new Entry();
      entry.value = value;
      entry.key = key;
      table[key] = entry;
      toFront(ends, entry);
    }
    return sum;
  }

  static Link shuffledList() {
    Link[] nodes = new Link[list];
    for (int k = 0; k < list; ++k) nodes[k] = new Link(k);
    Random random = new Random();
    for (int k = list - 1; k > 0; --k) {
      int other = random.below(k + 1);
      Link kept = nodes[other];
      nodes[other] = nodes[k];
      nodes[k] = kept;
    }
    Link first = null;
    for (Link node : nodes) {
      node.next = first;
      first = node;
    }
    return first;
  }
  static long shuffled() {
    Link first = shuffledList();
    System.gc();
    long sum = 0;
    for (Link at = first; at != null; at = at.next) sum = sum * 31 + at.value;
    return sum;
  }

  static long randomGraph() {
    Vertex[] vertices = new Vertex[graph];
    for (int k = 0; k < graph; ++k) {
      vertices[k] = new Vertex();
      vertices[k].value = k;
    }
    Random random = new Random();
    for (int k = 0; k < graph; ++k) {
      Vertex from = vertices[k];
      from.a = vertices[random.below(graph)];
      from.b = vertices[random.below(graph)];
      from.c = vertices[random.below(graph)];
      from.d = vertices[random.below(graph)];
    }
    System.gc();
    long sum = 0;
    for (int k = 0; k < 1000; ++k) sum += vertices[k % graph].a.value;
    return sum;
  }

  static long run(int program) {
    switch (program) {
      case 0: return gcBench();
      case 1: return binaryTrees();
      case 2: return cache();
      case 3: return shuffled();
      default: return randomGraph();
    }
  }

  public static void main(String[] words) {
    int program = Integer.parseInt(words[0]);
    int warm = Integer.parseInt(words[1]);
    int timed = Integer.parseInt(words[2]);
    int[] sizes = new int[8];
    for (int k = 0; k < 8; ++k) sizes[k] = Integer.parseInt(words[3 + k]);
    stretch = sizes[0];
    longLived = sizes[1];
    deepest = sizes[2];
    binaryDepth = sizes[3];
    entries = sizes[4];
    requests = sizes[5];
    list = sizes[6];
    graph = sizes[7];
    long best = Long.MAX_VALUE;
    long sum = 0;
    for (int k = 0; k < warm + timed; ++k) {
      long begun = System.nanoTime();
      sum = run(program);
      long took = System.nanoTime() - begun;
      if (k >= warm) best = Math.min(best, took);
    }
    System.out.println(Long.toUnsignedString(sum) + " " + best);
  }
}
