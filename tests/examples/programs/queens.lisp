(define safe? (lambda (row placed distance)
  (if (nil? placed) 1
    (if (= row (head placed)) ()
      (if (= row (+ (head placed) distance)) ()
        (if (= row (- (head placed) distance)) ()
          (safe? row (tail placed) (+ distance 1))))))))
(define try (lambda (row size placed left)
  (if (= row 0) 0
    (+ (if (safe? row placed 1) (place size (cons row placed) (- left 1)) 0)
       (try (- row 1) size placed left)))))
(define place (lambda (size placed left) (if (= left 0) 1 (try size size placed left))))
(place 5 () 5)
